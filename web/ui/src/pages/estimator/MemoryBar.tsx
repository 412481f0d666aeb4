import { Box, Group, Progress, Text } from '@mantine/core';
import { bytes } from '@/text/format';
import type { Bar, Kind } from './bar';
import { useEstimatorTexts } from './texts';

const COLORS: Record<Kind, string> = { weights: 'kronk.6', kv: 'blue.6', compute: 'grape.6', overhead: 'gray.6', prefixes: 'cyan.3' };
const HELD = 'orange.4';

/** What a device would have of each part, against its budget. */
export function MemoryBar({ bar }: { bar: Bar }) {
  const say = useEstimatorTexts();
  const name = bar.device === 'host' ? say.devices.host : bar.device;
  const sections = [
    ...(bar.held > 0 ? [{ key: 'held', label: say.held, bytes: bar.held, color: HELD }] : []),
    ...bar.parts.map((part) => ({ key: part.kind, label: say.parts[part.kind], bytes: part.bytes, color: COLORS[part.kind] })),
  ];
  const words = sections.map((part) => `${part.label} ${bytes(part.bytes)}`).join(', ');
  return (
    <Box>
      <Group justify="space-between" mb={6} gap="xs">
        <Text size="sm" fw={600}>
          {name}
        </Text>
        <Text size="sm" className="numbers" c={bar.isOver ? 'red' : undefined}>
          {say.ofBudget(bytes(bar.needed + bar.held), bytes(bar.budget))}
          {bar.isOver && ` · ${say.over}`}
        </Text>
      </Group>
      <Progress.Root size={26} radius="sm" role="img" aria-label={`${say.barLabel(name)}: ${words}`}>
        {sections.map((part) => (
          <Progress.Section key={part.key} value={(100 * part.bytes) / bar.scale} color={part.color} withAria={false} title={`${part.label}: ${bytes(part.bytes)}`} />
        ))}
      </Progress.Root>
      <Group gap="md" mt={8}>
        {sections.map((part) => (
          <Group key={part.key} gap={6} wrap="nowrap">
            <Box w={11} h={11} bg={part.color} style={{ borderRadius: 3, flex: 'none' }} />
            <Text size="xs" className="numbers">
              {part.label} {bytes(part.bytes)}
            </Text>
          </Group>
        ))}
      </Group>
      {bar.parts.some((part) => part.kind === 'prefixes') && (
        <Text size="xs" c="dimmed" mt={4}>
          {say.prefixesHint}
        </Text>
      )}
    </Box>
  );
}
