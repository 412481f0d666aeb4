import { Table, Text, UnstyledButton } from '@mantine/core';
import { Section } from '@/components/Section';
import { bytes, figure } from '@/text/format';
import type { Estimate } from './api';
import type { Form } from './question';
import { useEstimatorTexts } from './texts';

/** Contexts and cache types side by side; each can be tried. */
export function Grid({ estimate, onTry }: { estimate: Estimate; onTry: (part: Partial<Form>) => void }) {
  const say = useEstimatorTexts();
  const types = [...new Set(estimate.grid.map((cell) => cell.cache_type))];
  const windows = [...new Set(estimate.grid.map((cell) => cell.context_window))].sort((one, other) => one - other);
  if (estimate.grid.length === 0) return null;
  return (
    <Section title={say.grid}>
      <Text size="sm" c="dimmed" mb="xs">
        {say.gridText}
      </Text>
      <Table.ScrollContainer minWidth={360}>
        <Table className="numbers" withColumnBorders>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{say.gridContext}</Table.Th>
              {types.map((type) => (
                <Table.Th key={type}>{type}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {windows.map((window) => (
              <Table.Tr key={window}>
                <Table.Th scope="row">{figure(window)}</Table.Th>
                {types.map((type) => {
                  const cell = estimate.grid.find((one) => one.context_window === window && one.cache_type === type);
                  return (
                    <Table.Td key={type}>
                      {cell !== undefined && (
                        <UnstyledButton
                          aria-label={`${bytes(cell.total_bytes)}: ${say.tryIt(figure(window), type)}`}
                          onClick={() => onTry({ context: String(window), cacheK: type, cacheV: type })}
                          style={{ fontSize: 'var(--mantine-font-size-sm)', textDecoration: 'underline', textDecorationStyle: 'dotted', textUnderlineOffset: 3 }}
                        >
                          {bytes(cell.total_bytes)}
                        </UnstyledButton>
                      )}
                      {cell !== undefined && !cell.fits && (
                        <Text size="xs" c="red">
                          {say.no}
                        </Text>
                      )}
                    </Table.Td>
                  );
                })}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Section>
  );
}
