import { Alert, Stack, Table, Text } from '@mantine/core';
import { figure } from '@/text/format';
import type { Result, Run, Spread } from './api';
import { cellName, inOrder, rate, time } from './figures';
import { useBenchmarkTexts } from './texts';

const SPREADS = ['ttft', 'itl', 'seconds'] as const;
const RATES = ['tokens_per_second', 'stream_tokens_per_second', 'prompt_tokens_per_second'] as const;
const SHARES = ['p50', 'p90', 'p99'] as const;

/** A row for each size of prompts and number at once. */
export function Results({ run }: { run: Run }) {
  const say = useBenchmarkTexts();
  const results = inOrder(run.results);
  const isSeveral = new Set(results.map(({ target }) => target)).size > 1;
  return (
    <Stack gap="sm">
      <Table.ScrollContainer minWidth={940}>
        <Table className="numbers" aria-label={say.results} horizontalSpacing={6}>
          <Head isSeveral={isSeveral} />
          <Table.Tbody>
            {results.map((result) => (
              <Row key={`${result.target} ${cellName(result.cell)}`} result={result} isSeveral={isSeveral} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {results.map((result) => (
        <Failures key={`${result.target} ${cellName(result.cell)}`} result={result} />
      ))}
    </Stack>
  );
}

function Head({ isSeveral }: { isSeveral: boolean }) {
  const say = useBenchmarkTexts();
  return (
    <Table.Thead>
      <Table.Tr>
        {isSeveral && <Table.Th rowSpan={2}>{say.table.target}</Table.Th>}
        <Table.Th rowSpan={2} ta="right">
          {say.table.prompt}
        </Table.Th>
        <Table.Th rowSpan={2} ta="right">
          {say.table.atOnce}
        </Table.Th>
        {RATES.map((metric) => (
          <Table.Th key={metric} rowSpan={2} ta="right">
            {say.metrics[metric]}
          </Table.Th>
        ))}
        {SPREADS.map((metric) => (
          <Table.Th key={metric} colSpan={3} ta="center">
            {say.metrics[metric]}
          </Table.Th>
        ))}
        <Table.Th rowSpan={2} ta="right">
          {say.table.failed}
        </Table.Th>
      </Table.Tr>
      <Table.Tr>
        {SPREADS.flatMap((metric) =>
          SHARES.map((share) => (
            <Table.Th key={`${metric} ${share}`} ta="right" fw={500}>
              {say.table[share]}
            </Table.Th>
          )),
        )}
      </Table.Tr>
    </Table.Thead>
  );
}

function Row({ result, isSeveral }: { result: Result; isSeveral: boolean }) {
  const failed = Object.values(result.failed).reduce((sum, count) => sum + count, 0);
  return (
    <Table.Tr>
      {isSeveral && <Table.Td>{result.target}</Table.Td>}
      <Table.Td ta="right">{figure(result.cell.prompt_tokens)}</Table.Td>
      <Table.Td ta="right">{result.cell.concurrency}</Table.Td>
      {RATES.map((metric) => (
        <Table.Td key={metric} ta="right" fw={metric === 'tokens_per_second' ? 600 : 400}>
          {rate(result.values[metric])}
        </Table.Td>
      ))}
      {SPREADS.flatMap((metric) => SHARES.map((share) => <Share key={`${metric} ${share}`} spread={result[metric]} share={share} />))}
      <Table.Td ta="right" c={failed > 0 ? 'var(--mantine-color-error)' : undefined}>
        {failed}
      </Table.Td>
    </Table.Tr>
  );
}

function Share({ spread, share }: { spread: Spread | null; share: keyof Spread }) {
  return (
    <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
      {time(spread?.[share])}
    </Table.Td>
  );
}

function Failures({ result }: { result: Result }) {
  const say = useBenchmarkTexts();
  const codes = Object.entries(result.failed);
  if (codes.length === 0) return null;
  return (
    <Alert color="red" title={say.cell(figure(result.cell.prompt_tokens), result.cell.concurrency)}>
      {codes.map(([code, count]) => (
        <Text key={code} size="sm" className="breakable">
          {say.failures(count, result.requests, code, result.messages[code] ?? '')}
        </Text>
      ))}
    </Alert>
  );
}
