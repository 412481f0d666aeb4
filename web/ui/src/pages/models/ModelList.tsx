import { Alert, Anchor, Badge, Button, Group, Paper, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconBooks, IconFolderSearch, IconPlus, IconSearch, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { beginJob } from '@/api/jobs';
import { filesQuery } from '@/api/modelFiles';
import { useModels } from '@/api/models';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { tellDone, tellError } from '@/components/notices';
import { PageHeader } from '@/components/PageHeader';
import { Purposes } from '@/components/Purposes';
import { StateBadge } from '@/components/StateBadge';
import type { Purpose } from '@/components/modelOptions';
import type { LiveModel } from '@/live/state';
import { useLive } from '@/live/store';
import { pageOf } from '@/models/actions';
import { ModelActions } from '@/models/ModelActions';
import { ModelState } from '@/models/ModelState';
import { useModelTexts } from '@/models/texts';
import { mayUse } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { bytes } from '@/text/format';
import { matches, type Order, type Row, rowsOf, sorted } from './rows';
import { useModelsTexts } from './texts';

const PURPOSES: readonly Purpose[] = ['any', 'chat', 'embeddings', 'rerank', 'vision', 'audio', 'tools'];
const ORDERS: readonly Order[] = ['name', 'size', 'newest'];

export function ModelList() {
  const say = useModelsTexts();
  const isAdmin = mayUse(useSession(), 'admin');
  const [query, setQuery] = useSearchParams();
  const files = useQuery({ ...filesQuery(), enabled: isAdmin });
  const uses = useModels();
  const words = query.get('q') ?? '';
  const purpose = chosen(query.get('use'), PURPOSES);
  const order = chosen(query.get('by'), ORDERS);
  const put = (key: string, value: string, usual: string) =>
    setQuery((now) => {
      if (value === usual) now.delete(key);
      else now.set(key, value);
      return now;
    }, { replace: true });

  const error = files.error ?? uses.error;
  const isKnown = uses.data !== undefined && (!isAdmin || files.data !== undefined);
  const rows = isKnown ? rowsOf(files.data ?? null, uses.data) : [];
  const shown = sorted(rows.filter((row) => matches(row, words, purpose)), order);
  return (
    <>
      <PageHeader title={say.title} description={isKnown ? say.summary(rows.length, bytes(rows.reduce((sum, row) => sum + row.size, 0))) : undefined} actions={isAdmin && <HeaderActions />} />
      <Stack>
        {rows.length > 0 && (
          <Group align="flex-end" gap="sm">
            <TextInput
              label={say.search}
              placeholder={say.searchHint}
              leftSection={<IconSearch size={16} aria-hidden />}
              value={words}
              onChange={(event) => put('q', event.currentTarget.value, '')}
              style={{ flex: '1 1 14rem' }}
            />
            <Select label={say.use} data={PURPOSES.map((one) => ({ value: one, label: say.uses[one] }))} value={purpose} onChange={(value) => put('use', value ?? 'any', 'any')} allowDeselect={false} w={{ base: '46%', xs: 170 }} />
            <Select label={say.order} data={ORDERS.map((one) => ({ value: one, label: say.orders[one] }))} value={order} onChange={(value) => put('by', value ?? 'name', 'name')} allowDeselect={false} w={{ base: '46%', xs: 150 }} />
          </Group>
        )}
        {isKnown ? (
          <Found rows={rows} shown={shown} onAll={() => setQuery({}, { replace: true })} />
        ) : error === null ? (
          <Loading />
        ) : (
          <ErrorNotice error={error} onRetry={() => void Promise.all([files.refetch(), uses.refetch()])} />
        )}
      </Stack>
    </>
  );
}

function Found({ rows, shown, onAll }: { rows: readonly Row[]; shown: readonly Row[]; onAll: () => void }) {
  const say = useModelsTexts();
  const isAdmin = mayUse(useSession(), 'admin');
  const live = useLive().state?.models;
  if (rows.length === 0) {
    return (
      <EmptyState
        icon={IconBooks}
        title={say.none.title}
        text={isAdmin ? say.none.text : say.none.textUser}
        action={
          isAdmin && (
            <Button component={Link} to="/catalog">
              {say.none.action}
            </Button>
          )
        }
      />
    );
  }
  if (shown.length === 0) {
    return (
      <EmptyState
        icon={IconSearchOff}
        title={say.nothing.title}
        text={say.nothing.text}
        action={
          <Button variant="default" onClick={onAll}>
            {say.nothing.action}
          </Button>
        }
      />
    );
  }
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
      {shown.map((row) => (
        <li key={row.id}>
          <Card row={row} live={live?.find((one) => one.model === row.id)} />
        </li>
      ))}
    </SimpleGrid>
  );
}

function chosen<T extends string>(text: string | null, all: readonly T[]): T {
  return all.find((one) => one === text) ?? (all[0] as T);
}

function HeaderActions() {
  const say = useModelsTexts();
  const look = async () => {
    try {
      await beginJob('index', {});
      tellDone(say.looking);
    } catch (error) {
      tellError(error);
    }
  };
  return (
    <>
      <Button variant="default" leftSection={<IconFolderSearch size={18} aria-hidden />} onClick={look}>
        {say.look}
      </Button>
      <Button component={Link} to="/catalog" leftSection={<IconPlus size={18} aria-hidden />}>
        {say.add}
      </Button>
    </>
  );
}

function Card({ row, live }: { row: Row; live: LiveModel | undefined }) {
  const say = useModelsTexts();
  const shared = useModelTexts();
  const facts = [row.use?.quantization, bytes(row.size), row.use?.size_label, row.use?.architecture].filter((one) => one != null);
  return (
    <Paper p="md" h="100%">
      <Stack gap={6} h="100%">
        <Group justify="space-between" gap="xs" align="flex-start">
          <Anchor component={Link} to={pageOf(row.id)} fw={600} className="breakable" style={{ flex: '1 1 12rem' }}>
            {row.id}
          </Anchor>
          {row.isBroken ? <StateBadge state="broken" label={shared.states.broken} /> : <ModelState row={live} />}
        </Group>
        <Text size="sm" c="dimmed" className="numbers">
          {facts.join(' · ')}
        </Text>
        {row.aliases.length > 0 && (
          <Text size="sm" className="breakable">
            {say.aliases(row.aliases.join(', '))}
          </Text>
        )}
        {row.isBroken && (
          <Alert color="red" p="xs" icon={<IconAlertTriangle size={18} aria-hidden />}>
            <Text size="sm" className="breakable">
              {row.file?.reason}
            </Text>
          </Alert>
        )}
        <Group justify="space-between" gap="xs" mt="auto">
          <Group gap={4}>
            {row.use !== null && <Purposes capabilities={row.use.capabilities} />}
            {row.file?.integrity === 'changed' && (
              <Badge variant="light" color="orange" tt="none" autoContrast>
                {shared.integrity.changed}
              </Badge>
            )}
          </Group>
          {row.isBroken ? (
            <Button component={Link} to={`${pageOf(row.id)}?tab=integrity`} size="compact-sm" variant="default">
              {say.repair}
            </Button>
          ) : (
            <ModelActions model={row.id} row={live} />
          )}
        </Group>
      </Stack>
    </Paper>
  );
}
