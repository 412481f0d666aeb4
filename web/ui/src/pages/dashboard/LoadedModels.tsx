import { Table } from '@mantine/core';
import { IconCpu } from '@tabler/icons-react';
import { EmptyState } from '@/components/EmptyState';
import { StateBadge } from '@/components/StateBadge';
import type { LiveModel } from '@/live/state';
import { bytes, figure } from '@/text/format';
import { useDashboardTexts } from './texts';

export function LoadedModels({ models }: { models: readonly LiveModel[] }) {
  const say = useDashboardTexts();
  if (models.length === 0) return <EmptyState as="h3" icon={IconCpu} title={say.none.title} text={say.none.text} />;
  return (
    <Table.ScrollContainer minWidth={620}>
      <Table className="numbers">
        <Table.Thead>
          <Table.Tr>
            {Object.values(say.columns).map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {models.map((model) => (
            <Table.Tr key={`${model.model} ${model.generation ?? ''}`}>
              <Table.Td className="breakable">{model.model}</Table.Td>
              <Table.Td>
                <StateBadge state={model.state} />
              </Table.Td>
              <Table.Td>
                {model.slots_busy} / {model.slots_total}
              </Table.Td>
              <Table.Td>{model.queued}</Table.Td>
              <Table.Td>{figure(model.tokens_per_second, 1)}</Table.Td>
              <Table.Td>{bytes(model.measured_bytes ?? model.rss_bytes)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
