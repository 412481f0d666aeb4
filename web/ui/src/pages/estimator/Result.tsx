import { Alert, List, Stack, Table, Text } from '@mantine/core';
import { IconCheck, IconClock, IconX } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Facts } from '@/components/Facts';
import { Section } from '@/components/Section';
import { bytes, figure } from '@/text/format';
import type { Estimate, Verdict } from './api';
import { barsOf } from './bar';
import { Grid } from './Grid';
import { MemoryBar } from './MemoryBar';
import type { Form } from './question';
import { useEstimatorTexts } from './texts';

const LOOKS = {
  fits: { color: 'teal', icon: IconCheck },
  fits_without_idle: { color: 'teal', icon: IconCheck },
  has_to_wait: { color: 'orange', icon: IconClock },
  does_not_fit: { color: 'red', icon: IconX },
} as const satisfies Record<Verdict, object>;

/** The verdict, the bars, and what else would fit. */
export function Result({ estimate, onTry }: { estimate: Estimate; onTry: (part: Partial<Form>) => void }) {
  const say = useEstimatorTexts();
  const bars = useMemo(() => barsOf(estimate), [estimate]);
  const { settings } = estimate;
  const { color, icon: Picture } = LOOKS[estimate.verdict];
  return (
    <Stack>
      <Alert role="status" color={color} icon={<Picture aria-hidden />} title={say.verdicts[estimate.verdict]}>
        <Text size="sm" className="numbers">
          {say.verdictText(bytes(estimate.predicted.bytes), figure(settings.context_window), figure(settings.n_seq_max))}
        </Text>
      </Alert>
      {estimate.advice.length > 0 && (
        <Section title={say.advice}>
          <List size="sm">
            {estimate.advice.map((line) => (
              <List.Item key={line}>{line}</List.Item>
            ))}
          </List>
        </Section>
      )}
      <Section title={say.memory}>
        <Stack gap="lg">
          {bars.map((bar) => (
            <MemoryBar key={bar.device} bar={bar} />
          ))}
        </Stack>
      </Section>
      <Section title={estimate.model}>
        <Facts
          rows={[
            [say.largest, estimate.largest_context > 0 ? say.tokens(figure(estimate.largest_context)) : say.largestNone],
            [say.most, figure(estimate.most_slots)],
            [say.trained, estimate.trained_context === null ? null : say.tokens(figure(estimate.trained_context))],
            [say.parameters, figure(estimate.parameters)],
            [say.file, bytes(estimate.file_bytes)],
            [say.predicted, bytes(estimate.predicted.bytes)],
            [say.measured, estimate.measured === null ? null : bytes(estimate.measured.bytes)],
            [say.setAside, bytes(estimate.set_aside.bytes)],
            [say.layers, say.ofLayers(estimate.layers.on_gpus, estimate.layers.count)],
          ]}
        />
      </Section>
      <Grid estimate={estimate} onTry={onTry} />
      <Section title={say.details}>
        <Parts estimate={estimate} />
      </Section>
    </Stack>
  );
}

function Parts({ estimate }: { estimate: Estimate }) {
  const say = useEstimatorTexts();
  const rows = estimate.parts.flatMap((part) => Object.entries(part.devices).map(([device, size]) => ({ part, device, size })));
  return (
    <Table className="numbers">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{say.columns.part}</Table.Th>
          <Table.Th>{say.columns.device}</Table.Th>
          <Table.Th ta="right">{say.columns.bytes}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(({ part, device, size }) => (
          <Table.Tr key={`${part.part} ${part.kind ?? ''} ${device}`}>
            <Table.Td>{[part.part, part.kind].filter((word) => word !== null).join(' · ').replaceAll('_', ' ')}</Table.Td>
            <Table.Td>{device}</Table.Td>
            <Table.Td ta="right">{bytes(size)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
