import { Button, Group, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { IconTrophy } from '@tabler/icons-react';
import { CopyButton } from '@/components/CopyButton';
import { Section } from '@/components/Section';
import { figure, seconds, UNKNOWN } from '@/text/format';
import { AnswerColumn } from './AnswerColumn';
import { bestBy, type Column, isEnded, type Measure, measured, type Run } from './comparison';
import classes from './Compare.module.css';
import { markdownOf } from './markdown';
import { useCompareTexts } from './texts';

interface Props {
  run: Run;
  isRunning: boolean;
  /** The best model by the user; null where none was better, undefined before the vote. */
  vote: string | null | undefined;
  onVote: (best: string | null) => void;
}

export function Results({ run, isRunning, vote, onVote }: Props) {
  const say = useCompareTexts();
  const done = run.columns.filter(({ answer }) => isEnded(answer)).length;
  return (
    <Section title={say.results} actions={!isRunning && <CopyButton label={say.copy} value={() => markdownOf(run, vote ?? null)} />}>
      <VisuallyHidden role="status">{say.announce(done, run.columns.length)}</VisuallyHidden>
      <Stack>
        <div className={classes.columns} data-count={run.columns.length}>
          {run.columns.map((column, index) => (
            <AnswerColumn key={index} column={column} isRunning={isRunning} isBest={vote === column.model} />
          ))}
        </div>
        {done === run.columns.length && !isRunning && (
          <Group gap="xs" role="group" aria-label={say.vote}>
            <Text size="sm">{say.vote}</Text>
            {run.columns.map(({ model }) => (
              <Vote key={model} label={model} isChosen={vote === model} onChoose={() => onVote(model)} />
            ))}
            <Vote label={say.tie} isChosen={vote === null} onChoose={() => onVote(null)} />
          </Group>
        )}
        <Figures columns={run.columns} />
      </Stack>
    </Section>
  );
}

function Vote({ label, isChosen, onChoose }: { label: string; isChosen: boolean; onChoose: () => void }) {
  return (
    <Button size="xs" variant={isChosen ? 'filled' : 'default'} aria-pressed={isChosen} onClick={onChoose}>
      {label}
    </Button>
  );
}

const MEASURES: readonly Measure[] = ['speed', 'ttft', 'seconds', 'tokens'];
const WRITTEN: Readonly<Record<Measure, (value: number | null) => string>> = {
  speed: (value) => figure(value, 1),
  ttft: seconds,
  seconds,
  tokens: figure,
};

function Figures({ columns }: { columns: readonly Column[] }) {
  const say = useCompareTexts();
  return (
    <Table.ScrollContainer minWidth={480}>
      <Table className="numbers" aria-label={say.figures}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{say.columns.model}</Table.Th>
            {MEASURES.map((measure) => (
              <Table.Th key={measure} ta="right">
                {say.columns[measure]}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {columns.map((column, index) => (
            <Table.Tr key={index}>
              <Table.Td className="breakable">{column.model}</Table.Td>
              {MEASURES.map((measure) => {
                const isBest = bestBy(columns, measure).includes(index);
                const text = column.answer === null ? UNKNOWN : WRITTEN[measure](measured(column.answer)[measure]);
                return (
                  <Table.Td key={measure} ta="right" fw={isBest ? 700 : undefined}>
                    {isBest && <IconTrophy size={14} role="img" aria-label={say.fastest} style={{ verticalAlign: '-0.1em', marginInlineEnd: 4 }} />}
                    {text}
                  </Table.Td>
                );
              })}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
