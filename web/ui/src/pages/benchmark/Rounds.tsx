import { Select, Table } from '@mantine/core';
import { useState } from 'react';
import { Section } from '@/components/Section';
import { figure } from '@/text/format';
import type { Result } from './api';
import { cellName, inOrder, METRICS, roundsOf, shown, STATISTICS, statistics } from './figures';
import { useBenchmarkTexts } from './texts';

/** Each round of one kind of prompts, and how they are spread. */
export function Rounds({ results }: { results: readonly Result[] }) {
  const say = useBenchmarkTexts();
  const ordered = inOrder(results);
  const [chosen, setChosen] = useState<string | null>(null);
  const keyOf = (result: Result) => `${result.target} ${cellName(result.cell)}`;
  const result = ordered.find((one) => keyOf(one) === chosen) ?? ordered[0];
  if (result === undefined) return null;
  const isSeveral = new Set(ordered.map(({ target }) => target)).size > 1;
  const nameOf = (one: Result) => `${isSeveral ? `${one.target}: ` : ''}${say.cell(figure(one.cell.prompt_tokens), one.cell.concurrency)}`;
  return (
    <Section
      title={say.rounds}
      actions={
        <Select
          size="xs"
          w={230}
          aria-label={say.whichCell}
          allowDeselect={false}
          data={ordered.map((one) => ({ value: keyOf(one), label: nameOf(one) }))}
          value={keyOf(result)}
          onChange={setChosen}
        />
      }
    >
      <Table.ScrollContainer minWidth={640}>
        <Table className="numbers" aria-label={say.rounds}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{say.roundColumn}</Table.Th>
              {METRICS.map((metric) => (
                <Table.Th key={metric} ta="right">
                  {say.metrics[metric]}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {Array.from({ length: roundsOf(result) }, (_, round) => (
              <Line key={round} name={String(round + 1)} values={METRICS.map((metric) => shown(metric, result.rounds[metric][round]))} />
            ))}
          </Table.Tbody>
          <Table.Tfoot style={{ borderTop: '2px solid var(--table-border-color)' }}>
            {STATISTICS.map((name) => (
              <Line key={name} name={say.statistics[name]} values={METRICS.map((metric) => shown(metric, statistics(result.rounds[metric])[name]))} />
            ))}
          </Table.Tfoot>
        </Table>
      </Table.ScrollContainer>
    </Section>
  );
}

function Line({ name, values }: { name: string; values: string[] }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={500}>
        {name}
      </Table.Th>
      {values.map((value, at) => (
        <Table.Td key={METRICS[at]} ta="right" style={{ whiteSpace: 'nowrap' }} fw={400}>
          {value}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}
