import { Badge, Button, Group, Paper, Stack, Text, TextInput } from '@mantine/core';
import { modals } from '@mantine/modals';
import { IconKey, IconPlus, IconSearch } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { Loading } from '@/components/Loading';
import { tellDone, tellError } from '@/components/notices';
import { figure, moment } from '@/text/format';
import { keysOf, type Limit, revokeSubject, type Token, useTokens } from './api';
import { TokenDialog } from './TokenDialog';
import { InspectDialog } from './InspectDialog';
import { useSecurityTexts } from './texts';

const COLORS = { good: 'teal', expired: 'gray', revoked: 'red', 'without key': 'red' } as const;

export function Tokens() {
  const say = useSecurityTexts().tokens;
  const { data: tokens, error, refetch } = useTokens();
  const [dialog, setDialog] = useState<'create' | 'inspect' | null>(null);
  const sorted = tokens === undefined ? [] : [...tokens].sort((one, other) => other.issued - one.issued);
  return (
    <Stack>
      <Group gap="xs">
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setDialog('create')}>
          {say.create}
        </Button>
        <Button variant="default" leftSection={<IconSearch size={16} aria-hidden />} onClick={() => setDialog('inspect')}>
          {say.inspect}
        </Button>
      </Group>
      {error !== null && tokens === undefined && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {error === null && tokens === undefined && <Loading />}
      {tokens?.length === 0 && <EmptyState icon={IconKey} title={say.none.title} text={say.none.text} />}
      {sorted.map((token) => (
        <Card key={`${token.subject} ${token.issued}`} token={token} />
      ))}
      <TokenDialog isOpen={dialog === 'create'} onClose={() => setDialog(null)} />
      <InspectDialog isOpen={dialog === 'inspect'} onClose={() => setDialog(null)} />
    </Stack>
  );
}

function Card({ token }: { token: Token }) {
  const all = useSecurityTexts();
  const say = all.tokens;
  const queries = useQueryClient();
  const revoke = async (reason: string) => {
    try {
      await revokeSubject(token.subject, reason);
      tellDone(say.revoked);
    } catch (error) {
      tellError(error);
    }
    await queries.invalidateQueries({ queryKey: keysOf.tokens });
  };
  const limit = (one: Limit) => (one.window === 'unlimited' ? null : say.limit(figure(one.limit), say.windows[one.window]));
  const endpoints = Object.entries(token.endpoints).map(([name, one]) => [name, limit(one)].filter((word) => word !== null).join(': '));
  return (
    <Paper p="md">
      <Group justify="space-between" mb="sm" align="flex-start">
        <Group gap="xs">
          <Text fw={600} className="breakable">
            {token.name ?? say.unnamed}
          </Text>
          <Badge tt="none" variant="light" color={COLORS[token.state]}>
            {say.states[token.state]}
          </Badge>
          {token.admin && (
            <Badge tt="none" variant="light" color="violet">
              {say.admin}
            </Badge>
          )}
          <Text size="sm" c="dimmed" className="numbers">
            {say.until(moment(token.expires))}
          </Text>
        </Group>
        {token.state === 'good' && (
          <Button size="xs" variant="default" onClick={() => askReason(token.name ?? token.subject, all, revoke)}>
            {say.revoke}
          </Button>
        )}
      </Group>
      <Facts
        rows={[
          [say.endpoints, token.admin ? null : endpoints.join(', ')],
          [say.models, token.admin ? null : (token.models?.join(', ') ?? say.allModels)],
          [say.budget, token.tokens === null ? null : limit(token.tokens)],
          [say.concurrency, token.concurrency],
          [say.issued, `${moment(token.issued)} ${say.issuedBy(token.issued_by)}`],
          [say.subject, token.subject],
        ]}
      />
    </Paper>
  );
}

function askReason(name: string, say: ReturnType<typeof useSecurityTexts>, onConfirm: (reason: string) => Promise<void>): void {
  let reason = '';
  modals.openConfirmModal({
    title: say.tokens.revokeTitle(name),
    children: (
      <Stack>
        <Text size="sm">{say.tokens.revokeText}</Text>
        <TextInput label={say.tokens.reason} maxLength={200} onChange={(event) => (reason = event.currentTarget.value)} />
      </Stack>
    ),
    labels: { confirm: say.tokens.revoke, cancel: say.cancel },
    confirmProps: { color: 'red' },
    onConfirm: () => void onConfirm(reason.trim()),
  });
}
