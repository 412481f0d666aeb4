import { ActionIcon, Button, Checkbox, Group, Select, Table, Text, Tooltip } from '@mantine/core';
import { IconGitCompare, IconStopwatch, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { Section } from '@/components/Section';
import { moment } from '@/text/format';
import { type RunSummary, useRuns } from './api';
import { deleteFirst } from './actions';
import { rate } from './figures';
import { RunBadge } from './RunBadge';
import { useBenchmarkTexts } from './texts';
import { usePlanName } from './words';

const MOST_COMPARED = 8;

/** The runs there were; `?of=` is the model that they are of. */
export function History() {
  const say = useBenchmarkTexts();
  const navigate = useNavigate();
  const [search, setSearch] = useSearchParams();
  const model = search.get('of');
  const { data, error, refetch } = useRuns(model);
  const all = useRuns(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  if (error !== null && data === undefined) {
    return (
      <Section title={say.history}>
        <ErrorNotice error={error} onRetry={() => void refetch()} />
      </Section>
    );
  }
  const models = [...new Set([...(all.data?.data.map((run) => run.model) ?? []), ...(model === null ? [] : [model])])];
  const compared = chosen.filter((id) => data?.data.some((run) => run.id === id));
  const choose = (id: string, isChosen: boolean) => setChosen(isChosen ? [...compared, id] : compared.filter((one) => one !== id));
  return (
    <Section
      title={say.history}
      actions={
        models.length > 1 && (
          <Select
            size="xs"
            aria-label={say.ofModel}
            placeholder={say.allModels}
            data={models}
            value={model}
            clearable
            onChange={(value) => setSearch(value === null ? {} : { of: value }, { replace: true })}
          />
        )
      }
    >
      {data === undefined ? (
        <Loading />
      ) : data.data.length === 0 ? (
        model === null ? <EmptyState as="h3" icon={IconStopwatch} title={say.historyNone.title} text={say.historyNone.text} /> : <Text>{say.historyNoneOf(model)}</Text>
      ) : (
        <>
          <Group mb="xs" gap="sm">
            <Button
              size="xs"
              variant="default"
              leftSection={<IconGitCompare size={16} aria-hidden />}
              disabled={compared.length < 2}
              onClick={() => void navigate(`/benchmark/compare?runs=${inTime(compared).join(',')}`)}
            >
              {say.compare}
            </Button>
            <Text size="sm" c="dimmed">
              {say.compareHint}
            </Text>
          </Group>
          <Runs runs={data.data} chosen={compared} onChoose={choose} />
        </>
      )}
    </Section>
  );
}

/** The oldest first: it is what the others are compared with. */
const inTime = (ids: readonly string[]) => [...ids].sort();

interface RunsProps {
  runs: readonly RunSummary[];
  chosen: readonly string[];
  onChoose: (id: string, isChosen: boolean) => void;
}

function Runs({ runs, chosen, onChoose }: RunsProps) {
  const say = useBenchmarkTexts();
  const isMany = chosen.length >= MOST_COMPARED;
  return (
    <Table.ScrollContainer minWidth={760}>
      <Table className="numbers">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={36} aria-label={say.compare} />
            <Table.Th>{say.columns.when}</Table.Th>
            <Table.Th>{say.columns.model}</Table.Th>
            <Table.Th>{say.columns.plan}</Table.Th>
            <Table.Th ta="right">{say.columns.speed}</Table.Th>
            <Table.Th ta="right">{say.columns.failed}</Table.Th>
            <Table.Th>{say.columns.state}</Table.Th>
            <Table.Th w={48} aria-label={say.columns.actions} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Row key={run.id} run={run} isChosen={chosen.includes(run.id)} isFull={isMany} onChoose={onChoose} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ run, isChosen, isFull, onChoose }: { run: RunSummary; isChosen: boolean; isFull: boolean; onChoose: RunsProps['onChoose'] }) {
  const say = useBenchmarkTexts();
  const queries = useQueryClient();
  const planName = usePlanName();
  const hasFigures = run.state === 'complete' || run.state === 'incomplete';
  return (
    <Table.Tr>
      <Table.Td>
        <Checkbox
          aria-label={say.choose(run.id)}
          checked={isChosen}
          disabled={!hasFigures || (isFull && !isChosen)}
          onChange={(event) => onChoose(run.id, event.currentTarget.checked)}
        />
      </Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>
        <Text component={Link} to={`/benchmark/${run.id}`} size="sm" c="var(--mantine-color-anchor)">
          {moment(run.created)}
        </Text>
      </Table.Td>
      <Table.Td className="breakable">
        {run.model}
        {run.url !== null && (
          <Text size="xs" c="dimmed">
            {say.at(run.url)}
          </Text>
        )}
      </Table.Td>
      <Table.Td>{planName(run)}</Table.Td>
      <Table.Td ta="right">{rate(run.tokens_per_second)}</Table.Td>
      <Table.Td ta="right">{run.failures}</Table.Td>
      <Table.Td>
        <RunBadge state={run.state} />
      </Table.Td>
      <Table.Td>
        {run.state !== 'running' && (
          <Tooltip label={say.remove}>
            <ActionIcon variant="subtle" color="gray" aria-label={say.removeOf(run.id)} onClick={() => deleteFirst(say, queries, run.id)}>
              <IconTrash size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
