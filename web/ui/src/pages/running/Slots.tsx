import { Box, Group, Progress, SimpleGrid, Text, Title } from '@mantine/core';
import type { LiveSlot } from '@/live/state';
import { figure } from '@/text/format';
import { alarm, filled, promptRead } from './shares';
import { useRunningTexts } from './texts';

const COLORS = { idle: 'gray', prefill: 'blue', reading: 'blue', generating: 'teal', paused: 'orange' } as const;

/** The slots of a model: what each does, how far its prompt is, and what of the context it holds. */
export function Slots({ slots, context }: { slots: readonly LiveSlot[]; context: number | null }) {
  const say = useRunningTexts();
  if (slots.length === 0) return null;
  return (
    <div>
      <Title order={3} size="h6" mb={4}>
        {say.slots}
      </Title>
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {slots.map((slot) => (
          <Slot key={slot.index} slot={slot} context={context} />
        ))}
      </SimpleGrid>
    </div>
  );
}

function Slot({ slot, context }: { slot: LiveSlot; context: number | null }) {
  const say = useRunningTexts();
  const share = filled(slot, context);
  const isReading = slot.phase === 'prefill' || slot.phase === 'reading';
  return (
    <Box component="li" title={[slot.request, slot.by].filter((one) => one !== null && one !== '').join(' · ')}>
      <Group gap={6} wrap="nowrap">
        <Box w={8} h={8} bg={COLORS[slot.phase]} style={{ borderRadius: '50%', flex: 'none' }} />
        <Text size="xs" truncate>
          {slot.index + 1} · {say.slotPhases[slot.phase]}
        </Text>
      </Group>
      <Progress
        my={4}
        size="sm"
        value={100 * (isReading ? promptRead(slot) : (share ?? 0))}
        color={isReading ? 'blue' : alarm(share)}
        aria-label={isReading ? say.promptOf(slot.index + 1) : say.contextOf(slot.index + 1)}
      />
      <Text size="xs" c="dimmed" className="numbers">
        {isReading ? say.read(figure(slot.prompt_done), figure(slot.prompt)) : say.rows(figure(slot.rows))}
        {slot.generated > 0 && ` · ${say.generated(figure(slot.generated))}`}
      </Text>
    </Box>
  );
}
