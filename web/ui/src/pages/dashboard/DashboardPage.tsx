import { Alert, Button, Group, SimpleGrid, Stack } from '@mantine/core';
import { IconEyeOff } from '@tabler/icons-react';
import { lazy, Suspense } from 'react';
import { Link } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { useLive } from '@/live/store';
import { seconds } from '@/text/format';
import { Budgets } from './Budgets';
import { Failures } from './Failures';
import { Happenings } from './Happenings';
import { LoadedModels } from './LoadedModels';
import { RunningJobs } from './RunningJobs';
import { Machine } from './Machine';
import { useDashboardTexts } from './texts';
import { Tiles } from './Tiles';

const Charts = lazy(() => import('./Charts'));
const CHARTS_HEIGHT = 440;

export default function DashboardPage() {
  const say = useDashboardTexts();
  const { connection, state, samples, happenings } = useLive();
  if (connection === 'forbidden') return <NotForThisToken />;
  if (state === null) {
    return (
      <>
        <PageHeader title={say.title} />
        <Loading rows={8} />
      </>
    );
  }
  const { server } = state;
  return (
    <>
      <PageHeader title={say.title} description={say.about(server.version, seconds(server.uptime))} />
      <Stack>
        {server.warnings.length > 0 && (
          <Alert color="yellow" title={say.warnings}>
            {server.warnings.map((warning) => (
              <div key={warning}>{warning}</div>
            ))}
          </Alert>
        )}
        <Tiles state={state} />
        <Suspense fallback={<div style={{ height: CHARTS_HEIGHT }} />}>
          <Charts samples={samples} total={state.system.memory.total_bytes} />
        </Suspense>
        <LoadedModels models={state.models} />
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <Budgets state={state} />
          <Machine system={state.system} processes={state.processes} />
          <RunningJobs jobs={state.jobs} />
          <Failures now={state.time} />
        </SimpleGrid>
        <Happenings happenings={happenings} now={state.time} />
      </Stack>
    </>
  );
}

/** A token that grants models, and not to look at the server. */
function NotForThisToken() {
  const say = useDashboardTexts();
  return (
    <>
      <PageHeader title={say.title} />
      <EmptyState
        icon={IconEyeOff}
        title={say.forbidden.title}
        text={say.forbidden.text}
        action={
          <Group>
            <Button component={Link} to="/chat">
              {say.none.chat}
            </Button>
            <Button component={Link} to="/settings" variant="default">
              {say.forbidden.settings}
            </Button>
          </Group>
        }
      />
    </>
  );
}
