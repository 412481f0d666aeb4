import { Accordion, Anchor, Code, Group, Stack, Text } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { type Departure, historyQuery } from '@/api/modelFiles';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { StateBadge } from '@/components/StateBadge';
import { useLive } from '@/live/store';
import { moment, seconds } from '@/text/format';
import { pageOf } from './actions';
import { useModelTexts } from './texts';

const COLORED = { unloaded: 'unloaded', crashed: 'crashed', killed: 'crashed', failed: 'failed' } as const;

/** How processes of a model, or of all for null, ended: the latest first. */
export function ExitHistory({ model, as = 'h3' }: { model: string | null; as?: 'h2' | 'h3' }) {
  const say = useModelTexts().history;
  const { data, error, refetch } = useQuery(historyQuery(model));
  const loaded = useLive().state !== null;
  if (error !== null && data === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined || !loaded) return <Loading rows={3} />;
  if (data.length === 0) return <EmptyState as={as} icon={IconHistory} title={model === null ? say.none : say.noneOf} text={say.noneText} />;
  return (
    <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
      {data.map((exit) => (
        <li key={`${exit.model} ${exit.generation} ${exit.ended}`}>
          <Exit exit={exit} withModel={model === null} />
        </li>
      ))}
    </Stack>
  );
}

function Exit({ exit, withModel }: { exit: Departure; withModel: boolean }) {
  const say = useModelTexts();
  const facts = [
    exit.ready === null ? say.history.neverReady : say.history.ran(seconds(exit.ended - exit.started)),
    exit.requests > 0 ? say.history.requests(exit.requests) : null,
    exit.pid === null ? null : say.history.process(exit.pid),
    exit.out_of_memory ? say.history.oom : null,
  ].filter((fact) => fact !== null);
  return (
    <Stack gap={2}>
      <Group gap="xs">
        <StateBadge state={COLORED[exit.outcome]} label={say.outcomes[exit.outcome]} />
        {withModel && (
          <Anchor component={Link} to={pageOf(exit.model)} size="sm" className="breakable">
            {exit.model}
          </Anchor>
        )}
        <Text size="sm" className="numbers">
          {moment(exit.ended)}
        </Text>
      </Group>
      <Text size="sm" className="breakable">
        {exit.cause}
      </Text>
      <Text size="xs" c="dimmed" className="numbers">
        {facts.join(' · ')}
      </Text>
      {(exit.last_lines.length > 0 || exit.stack.length > 0) && (
        <Accordion variant="separated" chevronPosition="left">
          {exit.last_lines.length > 0 && <Lines title={say.history.lines} lines={exit.last_lines} />}
          {exit.stack.length > 0 && <Lines title={say.history.stack} lines={exit.stack} />}
        </Accordion>
      )}
    </Stack>
  );
}

function Lines({ title, lines }: { title: string; lines: readonly string[] }) {
  return (
    <Accordion.Item value={title}>
      <Accordion.Control>{title}</Accordion.Control>
      <Accordion.Panel>
        <Code block tabIndex={0} style={{ maxHeight: 320, overflow: 'auto' }}>
          {lines.join('\n')}
        </Code>
      </Accordion.Panel>
    </Accordion.Item>
  );
}
