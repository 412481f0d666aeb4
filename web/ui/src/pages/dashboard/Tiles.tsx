import { Paper, SimpleGrid, Text } from '@mantine/core';
import type { LiveState } from '@/live/state';
import { bytes, figure, seconds } from '@/text/format';
import { useDashboardTexts } from './texts';

/** The four figures one looks at first. */
export function Tiles({ state }: { state: LiveState }) {
  const say = useDashboardTexts().tiles;
  const { models, queue, latency, budgets } = state;
  const busy = models.reduce((sum, model) => sum + model.slots_busy, 0);
  const slots = models.reduce((sum, model) => sum + model.slots_total, 0);
  const waiting = queue.reduce((sum, one) => sum + one.waiting, 0);
  const reserved = budgets.reduce((sum, budget) => sum + budget.reserved_bytes, 0);
  const whole = budgets.reduce((sum, budget) => sum + budget.budget_bytes, 0);
  return (
    <SimpleGrid cols={{ base: 2, lg: 4 }} spacing={{ base: 'xs', sm: 'md' }}>
      <Tile name={say.speed} value={figure(state.throughput.tokens_per_second, 1)} hint={say.speedHint(busy, slots)} />
      <Tile name={say.waiting} value={figure(waiting)} hint={say.waitingHint(queue.filter((one) => one.waiting > 0).length)} />
      <Tile name={say.ttft} value={seconds(latency.ttft_p50)} hint={say.ttftHint(seconds(latency.ttft_p95), latency.ended)} />
      <Tile name={say.memory} value={bytes(reserved)} hint={say.memoryHint(bytes(whole))} />
    </SimpleGrid>
  );
}

function Tile({ name, value, hint }: { name: string; value: string; hint: string }) {
  return (
    <Paper p={{ base: 'sm', sm: 'md' }}>
      <Text size="sm" c="dimmed">
        {name}
      </Text>
      <Text fz={{ base: 22, sm: 28 }} fw={650} lh={1.3} className="numbers">
        {value}
      </Text>
      <Text size="xs" c="dimmed">
        {hint}
      </Text>
    </Paper>
  );
}
