import { Button, Progress, Table } from '@mantine/core';
import { confirmFirst } from '@/components/confirm';
import { Section } from '@/components/Section';
import { tallyOf, type Vote } from './comparison';
import { useCompareTexts } from './texts';

/** How often each model had the best answer; nothing before the first vote. */
export function Tally({ votes, onForget }: { votes: readonly Vote[]; onForget: () => void }) {
  const say = useCompareTexts();
  if (votes.length === 0) return null;
  const ask = () => confirmFirst({ title: say.forget, text: say.forgetText, confirm: say.forget, cancel: say.cancel, onConfirm: onForget });
  return (
    <Section
      title={say.tally}
      actions={
        <Button size="xs" variant="default" onClick={ask}>
          {say.forget}
        </Button>
      }
    >
      <Table className="numbers">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{say.tallyColumns.model}</Table.Th>
            <Table.Th w="40%">{say.tallyColumns.won}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tallyOf(votes).map(({ model, wins, votes: count }) => (
            <Table.Tr key={model}>
              <Table.Td className="breakable">{model}</Table.Td>
              <Table.Td>
                {say.won(wins, count)}
                <Progress value={(100 * wins) / count} size="sm" aria-label={say.won(wins, count)} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}
