import { SimpleGrid, Stack, Table, Text } from '@mantine/core';
import type { ModelDetails } from '@/api/modelFiles';
import { CopyButton } from '@/components/CopyButton';
import { Facts } from '@/components/Facts';
import { Section } from '@/components/Section';
import { bytes, figure, moment } from '@/text/format';
import { entriesOf, tensorsOf, tokensOf, written } from './facts';
import { useModelsTexts } from './texts';

/** What the file's header says, what it takes, and what a load made of it. */
export function Details({ details }: { details: ModelDetails }) {
  const say = useModelsTexts().details;
  const { file, memory, uses, fitted } = details;
  return (
    <Stack>
      <Section title={say.onDisk}>
        <Facts
          rows={[
            [say.size, bytes(details.size_bytes)],
            [say.modified, moment(details.modified)],
            [say.aliases, details.aliases.length === 0 ? null : details.aliases.join(', ')],
            [say.estimated, memory === null ? null : bytes(memory.estimated.bytes)],
            [say.measured, memory?.measured == null ? null : bytes(memory.measured.bytes)],
          ]}
        />
        <Text size="xs" c="dimmed" mt="sm">
          {say.path}
        </Text>
        <Text size="sm" className="breakable" component="div">
          {details.path} <CopyButton value={details.path} name={say.copyPath} />
        </Text>
      </Section>
      {file !== null && (
        <>
          <Section title={say.header}>
            <Facts rows={entriesOf(file).map(([key, value]) => [say.keys[key as keyof typeof say.keys] ?? key.replaceAll('_', ' '), written(value)])} />
          </Section>
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <Section title={say.tensors}>
              <Figures
                label={say.tensors}
                head={[say.type, say.count, say.bytes]}
                rows={tensorsOf(file).map(({ kind, tensors, size }) => [kind, figure(tensors), bytes(size)])}
              />
            </Section>
            <Section title={say.tokens}>
              <Figures label={say.tokens} head={[say.token, say.id, say.text]} rows={tokensOf(file).map(({ name, id, text }) => [name, String(id), text ?? '–'])} />
            </Section>
          </SimpleGrid>
        </>
      )}
      {uses !== null && (
        <Section title={say.uses}>
          <Facts rows={Object.entries(uses).map(([key, value]) => [say.used[key as keyof typeof say.used] ?? key, value === null ? null : written(value)])} />
        </Section>
      )}
      {fitted !== null && (
        <Section title={say.fitted}>
          <Text size="sm" c="dimmed" mb="sm">
            {say.fittedText}
          </Text>
          <Facts rows={Object.entries(fitted).map(([key, value]) => [key, value === null ? null : key.endsWith('_bytes') ? bytes(value as number) : written(value)])} />
        </Section>
      )}
    </Stack>
  );
}

function Figures({ label, head, rows }: { label: string; head: string[]; rows: string[][] }) {
  return (
    <Table aria-label={label} className="numbers">
      <Table.Thead>
        <Table.Tr>
          {head.map((name) => (
            <Table.Th key={name}>{name}</Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={row[0]}>
            {row.map((cell, at) => (
              <Table.Td key={head[at]} className="breakable">
                {cell}
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
