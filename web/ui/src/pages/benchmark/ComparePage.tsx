import { Anchor, Badge, Button, Group, Stack, Table, Text } from '@mantine/core';
import { IconArrowLeft, IconArrowsExchange, IconGitCompare } from '@tabler/icons-react';
import { Link, useSearchParams } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { figure, moment } from '@/text/format';
import { type Comparison, type Difference, type RunSummary, useComparison, type Verdict } from './api';
import { cellName, change, METRICS, rowsOf, shown, tally } from './figures';
import { useBenchmarkTexts } from './texts';
import { usePlanName } from './words';

const COLORS: Record<Verdict, string> = { better: 'teal', worse: 'red', noise: 'gray', unknown: 'gray' };

/** Runs beside the first of `?runs=`. */
export function ComparePage() {
  const say = useBenchmarkTexts();
  const [search, setSearch] = useSearchParams();
  const ids = (search.get('runs') ?? '').split(',').filter((id) => id !== '');
  const { data, error, refetch } = useComparison(ids);
  const base = data?.runs[0];
  return (
    <>
      <Anchor component={Link} to="/benchmark" size="sm" display="inline-flex" mb="xs" style={{ alignItems: 'center', gap: 4 }}>
        <IconArrowLeft size={16} aria-hidden />
        {say.back}
      </Anchor>
      <PageHeader
        title={say.comparison.title}
        description={base === undefined ? undefined : say.comparison.description(moment(base.created))}
        actions={
          ids.length > 1 && (
            <Button variant="default" leftSection={<IconArrowsExchange size={16} aria-hidden />} onClick={() => setSearch({ runs: [...ids].reverse().join(',') }, { replace: true })}>
              {say.comparison.swap}
            </Button>
          )
        }
      />
      {ids.length < 2 ? (
        <EmptyState
          icon={IconGitCompare}
          title={say.comparison.few.title}
          text={say.comparison.few.text}
          action={
            <Button component={Link} to="/benchmark">
              {say.back}
            </Button>
          }
        />
      ) : error !== null ? (
        <ErrorNotice error={error} onRetry={() => void refetch()} />
      ) : data === undefined ? (
        <Loading />
      ) : (
        <Shown comparison={data} />
      )}
    </>
  );
}

function Shown({ comparison }: { comparison: Comparison }) {
  const say = useBenchmarkTexts().comparison;
  const byId = new Map(comparison.runs.map((run) => [run.id, run]));
  return (
    <Stack>
      {comparison.comparisons.map((one) => {
        const run = byId.get(one.id);
        return run === undefined ? null : <One key={one.id} run={run} differences={one.differences} other={one.other} />;
      })}
      <Text size="sm" c="dimmed">
        {say.legend}
      </Text>
    </Stack>
  );
}

function One({ run, differences, other }: { run: RunSummary; differences: Difference[]; other: string[] }) {
  const say = useBenchmarkTexts();
  const planName = usePlanName();
  const counts = tally(differences);
  return (
    <Section title={`${run.model}, ${moment(run.created)}`}>
      <Group gap="sm" mb="xs">
        <Anchor component={Link} to={`/benchmark/${run.id}`} size="sm">
          {planName(run)}
        </Anchor>
        <Text size="sm">{say.comparison.tally(counts.better, counts.worse, counts.noise)}</Text>
      </Group>
      {other.length > 0 && (
        <Text size="sm" mb="xs" className="breakable">
          {say.comparison.other} {other.join('; ')}
        </Text>
      )}
      {differences.length === 0 ? <Text>{say.comparison.common}</Text> : <Differences differences={differences} />}
    </Section>
  );
}

function Differences({ differences }: { differences: Difference[] }) {
  const say = useBenchmarkTexts();
  const rows = rowsOf(differences);
  return (
    <Table.ScrollContainer minWidth={980}>
      <Table className="numbers" aria-label={say.comparison.title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th ta="right">{say.table.prompt}</Table.Th>
            <Table.Th ta="right">{say.table.atOnce}</Table.Th>
            {METRICS.map((metric) => (
              <Table.Th key={metric}>{say.metrics[metric]}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={`${row.target} ${cellName(row)}`}>
              <Table.Td ta="right">{figure(row.prompt_tokens)}</Table.Td>
              <Table.Td ta="right">{row.concurrency}</Table.Td>
              {METRICS.map((metric) => (
                <Table.Td key={metric}>
                  <Change difference={row.byMetric[metric]} />
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Change({ difference }: { difference: Difference | undefined }) {
  const say = useBenchmarkTexts().comparison;
  if (difference === undefined) return <Text size="sm">–</Text>;
  const { metric, before, after, verdict } = difference;
  return (
    <>
      <Badge variant="light" color={COLORS[verdict]} tt="none" autoContrast>
        {change(difference.change)} {say.verdicts[verdict]}
      </Badge>
      <Text size="xs" c="dimmed" mt={2} style={{ whiteSpace: 'nowrap' }}>
        {say.beforeAfter(shown(metric, before), shown(metric, after))}
      </Text>
    </>
  );
}
