import { Alert, Anchor, Button, Group, Stack, Tabs, Text } from '@mantine/core';
import { IconAlertTriangle, IconArrowLeft, IconMessage, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { ApiError } from '@/api/errors';
import { detailsQuery, type ModelDetails } from '@/api/modelFiles';
import { useModels } from '@/api/models';
import { CopyButton } from '@/components/CopyButton';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Purposes } from '@/components/Purposes';
import { StateBadge } from '@/components/StateBadge';
import { useLive } from '@/live/store';
import { ExitHistory } from '@/models/ExitHistory';
import { ModelActions } from '@/models/ModelActions';
import { ModelState } from '@/models/ModelState';
import { useModelTexts } from '@/models/texts';
import { mayUse } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { Configuration } from './Configuration';
import { Details } from './Details';
import { IntegrityTab } from './IntegrityTab';
import { Notes } from './Notes';
import { RemoveModel } from './RemoveModel';
import { Statistics } from './Statistics';
import { TemplateTab } from './TemplateTab';
import { useModelsTexts } from './texts';

const TABS = ['details', 'configuration', 'template', 'integrity', 'statistics', 'history', 'notes'] as const;
type Tab = (typeof TABS)[number];

/** One model; `?tab=` is what of it is shown. */
export function ModelPage({ model }: { model: string }) {
  const say = useModelsTexts();
  const isAdmin = mayUse(useSession(), 'admin');
  const { data, error, refetch } = useQuery({ ...detailsQuery(model), enabled: isAdmin });
  if (!isAdmin) return <ForUsers model={model} />;
  if (data === undefined) {
    return (
      <>
        <Back />
        <PageHeader title={model} />
        {error === null ? <Loading /> : error instanceof ApiError && error.status === 404 ? <Missing model={model} text={error.message} /> : <ErrorNotice error={error} onRetry={() => void refetch()} />}
      </>
    );
  }
  return <Known details={data} say={say} />;
}

function Known({ details, say }: { details: ModelDetails; say: ReturnType<typeof useModelsTexts> }) {
  const shared = useModelTexts();
  const navigate = useNavigate();
  const [query, setQuery] = useSearchParams();
  const [isRemoving, setRemoving] = useState(false);
  const row = useLive().state?.models.find((one) => one.model === details.id);
  const isBroken = details.file === null;
  const tab: Tab = TABS.find((one) => one === query.get('tab')) ?? 'details';
  const able = details.capabilities ?? [];
  const talks = able.includes('chat') || able.includes('completion');
  return (
    <>
      <Back />
      <PageHeader
        title={details.id}
        description={
          <Group gap="xs">
            {isBroken ? <StateBadge state="broken" label={shared.states.broken} /> : <ModelState row={row} />}
            <Purposes capabilities={able} />
            <CopyButton value={details.id} name={say.copyId} />
          </Group>
        }
        actions={
          <>
            {talks && (
              <Button component={Link} to={`/chat?model=${encodeURIComponent(details.id)}`} size="compact-sm" leftSection={<IconMessage size={16} aria-hidden />}>
                {say.chat}
              </Button>
            )}
            {!isBroken && <ModelActions model={details.id} row={row} />}
            <Button size="compact-sm" variant="subtle" color="red" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => setRemoving(true)}>
              {say.remove.verb}
            </Button>
          </>
        }
      />
      <Stack>
        {details.problem !== null && (
          <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={say.cannotLoad}>
            <Text size="sm" className="breakable">
              {details.problem}
            </Text>
          </Alert>
        )}
        <Tabs value={tab} onChange={(next) => setQuery(next === null || next === 'details' ? {} : { tab: next }, { replace: true })} keepMounted={false}>
          <Tabs.List mb="md">
            {TABS.map((one) => (
              <Tabs.Tab key={one} value={one}>
                {say.tabs[one]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="details">
            <Details details={details} />
          </Tabs.Panel>
          <Tabs.Panel value="configuration">
            <Configuration details={details} />
          </Tabs.Panel>
          <Tabs.Panel value="template">
            <TemplateTab model={details.id} isLoaded={row?.state === 'ready'} talks={talks} />
          </Tabs.Panel>
          <Tabs.Panel value="integrity">
            <IntegrityTab details={details} />
          </Tabs.Panel>
          <Tabs.Panel value="statistics">
            <Statistics model={details.id} />
          </Tabs.Panel>
          <Tabs.Panel value="history">
            <ExitHistory model={details.id} as="h2" />
          </Tabs.Panel>
          <Tabs.Panel value="notes">
            <Notes model={details.id} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
      {isRemoving && <RemoveModel model={details.id} isLoaded={row !== undefined && row.state !== 'absent'} onClose={() => setRemoving(false)} onGone={() => void navigate('/models')} />}
    </>
  );
}

/** What those see who may use models and no more. */
function ForUsers({ model }: { model: string }) {
  const { data, error, refetch } = useModels();
  const found = data?.find((one) => one.id === model || one.aliases.includes(model));
  return (
    <>
      <Back />
      <PageHeader title={model} description={found === undefined ? undefined : <Purposes capabilities={found.capabilities} />} />
      {error !== null && data === undefined ? <ErrorNotice error={error} onRetry={() => void refetch()} /> : data === undefined ? <Loading /> : found === undefined ? <Missing model={model} /> : <Notes model={found.id} />}
    </>
  );
}

function Missing({ model, text }: { model: string; text?: string }) {
  const say = useModelsTexts();
  return (
    <EmptyState
      icon={IconAlertTriangle}
      title={say.missing.title}
      text={text ?? say.missing.text(model)}
      action={
        <Button component={Link} to="/models">
          {say.missing.action}
        </Button>
      }
    />
  );
}

function Back() {
  const say = useModelsTexts();
  return (
    <Anchor component={Link} to="/models" size="sm" mb="xs" display="inline-block">
      <IconArrowLeft size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> {say.title}
    </Anchor>
  );
}
