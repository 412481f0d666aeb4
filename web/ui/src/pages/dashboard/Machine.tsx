import { Progress, Stack, Table, Text } from '@mantine/core';
import { Facts } from '@/components/Facts';
import { Section } from '@/components/Section';
import type { LiveProcess, LiveSystem } from '@/live/state';
import { bytes, decimal, figure, UNKNOWN } from '@/text/format';
import { useDashboardTexts } from './texts';

export function Machine({ system, processes }: { system: LiveSystem; processes: readonly LiveProcess[] }) {
  const say = useDashboardTexts();
  const { facts } = say;
  const { memory, swap, disk, gpus } = system;
  return (
    <Section title={say.system}>
      <Stack gap="md">
        <Facts
          rows={[
            [facts.cpu, facts.cores(system.cpu_percent === null ? UNKNOWN : `${figure(system.cpu_percent)} %`, system.core_count)],
            [facts.load, system.load.map((value) => decimal(value, 2)).join('  ')],
            [facts.memory, facts.of(bytes(memory.used_bytes), bytes(memory.total_bytes))],
            [facts.swap, swap.total_bytes === 0 ? null : facts.of(bytes(swap.used_bytes), bytes(swap.total_bytes))],
            [facts.disk, disk === null ? null : facts.of(bytes(disk.free_bytes), bytes(disk.total_bytes))],
          ]}
        />
        {gpus.map((gpu) => (
          <div key={gpu.name}>
            <Text size="sm">
              {gpu.name.toUpperCase()} · {facts.of(bytes(gpu.used_bytes), bytes(gpu.total_bytes))}
              {gpu.utilisation !== null && ` · ${figure(100 * gpu.utilisation)} %`}
            </Text>
            <Progress value={(100 * gpu.used_bytes) / gpu.total_bytes} size="sm" aria-label={gpu.name} />
          </div>
        ))}
        <Processes processes={processes} />
      </Stack>
    </Section>
  );
}

function Processes({ processes }: { processes: readonly LiveProcess[] }) {
  const say = useDashboardTexts();
  return (
    <Table className="numbers" verticalSpacing={4} fz="sm" aria-label={say.processes}>
      <Table.Tbody>
        {processes.map((process) => (
          <Table.Tr key={`${process.host ?? ''} ${process.pid}`}>
            <Table.Td className="breakable">{process.model ?? process.role}</Table.Td>
            <Table.Td ta="right">{process.pid}</Table.Td>
            <Table.Td ta="right">{process.cpu_percent === null ? UNKNOWN : `${figure(process.cpu_percent)} %`}</Table.Td>
            <Table.Td ta="right">{bytes(process.rss_bytes)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
