import { Button, Group, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { IconCpu } from '@tabler/icons-react';
import { Link } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import type { LiveProcess, LiveQueue, LiveState } from '@/live/state';
import { useLive } from '@/live/store';
import { ExitHistory } from '@/models/ExitHistory';
import { bytes, figure, percent, seconds } from '@/text/format';
import { Budgets } from './Budgets';
import { RunningModel } from './RunningModel';
import { useRunningTexts } from './texts';

/** What is in memory right now, and what it does; how what was there before went. */
export default function RunningPage() {
  const say = useRunningTexts();
  const { state } = useLive();
  return (
    <>
      <PageHeader
        title={say.title}
        description={say.description}
        actions={
          <Button component={Link} to="/models" variant="default">
            {say.loadAnother}
          </Button>
        }
      />
      {state === null ? <Loading /> : <Running state={state} />}
    </>
  );
}

function Running({ state }: { state: LiveState }) {
  const say = useRunningTexts();
  const models = state.models.filter((model) => model.state !== 'absent' || model.pinned);
  return (
    <Stack>
      <Section title={say.memory}>
        <Budgets state={state} />
      </Section>
      {models.length === 0 ? (
        <Section title={say.models}>
          <EmptyState
            as="h3"
            icon={IconCpu}
            title={say.none}
            text={say.noneText}
            action={
              <Button component={Link} to="/models">
                {say.noneAction}
              </Button>
            }
          />
        </Section>
      ) : (
        <SimpleGrid cols={{ base: 1, xl: 2 }}>
          {models.map((model) => (
            <RunningModel key={`${model.model} ${model.generation ?? ''}`} model={model} />
          ))}
        </SimpleGrid>
      )}
      {state.queue.length > 0 && (
        <Section title={say.queue}>
          <Queue queues={state.queue} />
        </Section>
      )}
      <Section title={say.processes}>
        <Processes processes={state.processes} />
      </Section>
      <Section title={say.history}>
        <ExitHistory model={null} />
      </Section>
    </Stack>
  );
}

function Queue({ queues }: { queues: readonly LiveQueue[] }) {
  const say = useRunningTexts();
  return (
    <Stack gap="sm">
      {queues.map((queue) => (
        <div key={queue.model}>
          <Group gap="xs">
            <Text fw={500} className="breakable">
              {queue.model}
            </Text>
            <Text size="sm">{say.waiting(queue.waiting)}</Text>
          </Group>
          {queue.requests.map((request) => (
            <Text key={request.request} size="sm" className="numbers breakable">
              {[request.position === null ? null : `${request.position + 1}.`, request.request, seconds(request.seconds), request.by].filter((one) => one !== null).join(' · ')}
            </Text>
          ))}
        </div>
      ))}
    </Stack>
  );
}

function Processes({ processes }: { processes: readonly LiveProcess[] }) {
  const say = useRunningTexts();
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table className="numbers" aria-label={say.processes}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{say.process}</Table.Th>
            <Table.Th>PID</Table.Th>
            <Table.Th>{say.memory}</Table.Th>
            <Table.Th>CPU</Table.Th>
            <Table.Th>{say.threads}</Table.Th>
            <Table.Th>{say.fds}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {processes.map((process) => (
            <Table.Tr key={`${process.host ?? ''} ${process.pid}`}>
              <Table.Td className="breakable">{process.model ?? say.roles[process.role]}{process.host === null ? '' : ` @ ${process.host}`}</Table.Td>
              <Table.Td>{process.pid}</Table.Td>
              <Table.Td>{bytes(process.rss_bytes)}</Table.Td>
              <Table.Td>{percent(process.cpu_percent === null ? null : process.cpu_percent / 100)}</Table.Td>
              <Table.Td>{figure(process.threads)}</Table.Td>
              <Table.Td>{figure(process.fds)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
