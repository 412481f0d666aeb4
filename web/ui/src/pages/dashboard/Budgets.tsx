import { Progress, Stack, Text } from '@mantine/core';
import { Section } from '@/components/Section';
import type { LiveBudget, LiveModel, LiveState } from '@/live/state';
import { bytes } from '@/text/format';
import { useDashboardTexts } from './texts';

const COLORS = ['teal.7', 'indigo.6', 'orange.7', 'grape.6', 'cyan.7', 'pink.7'];

/** Each device's budget, and which model takes how much of it. */
export function Budgets({ state }: { state: LiveState }) {
  const say = useDashboardTexts();
  return (
    <Section title={say.budget}>
      <Stack gap="md">
        {state.budgets.map((budget) => (
          <DeviceBudget key={budget.device} budget={budget} models={state.models} />
        ))}
      </Stack>
    </Section>
  );
}

function DeviceBudget({ budget, models }: { budget: LiveBudget; models: readonly LiveModel[] }) {
  const say = useDashboardTexts();
  const parts = models
    .map((model, place) => ({ name: model.model, bytes: model.promised[budget.device] ?? 0, color: COLORS[place % COLORS.length] ?? 'teal.7' }))
    .filter((part) => part.bytes > 0);
  const name = budget.device === 'host' ? say.device.host : budget.device.toUpperCase();
  return (
    <div>
      <Text size="sm" fw={600}>
        {name} · {bytes(budget.reserved_bytes)} / {bytes(budget.budget_bytes)}
      </Text>
      <Progress.Root size="lg" my={6}>
        {parts.map((part) => (
          <Progress.Section key={part.name} value={(100 * part.bytes) / budget.budget_bytes} color={part.color} aria-label={`${part.name}: ${bytes(part.bytes)}`} />
        ))}
      </Progress.Root>
      <Text size="xs" c="dimmed" className="breakable">
        {[...parts.map((part) => `${part.name} ${bytes(part.bytes)}`), say.free(bytes(Math.max(0, budget.budget_bytes - budget.reserved_bytes)))].join(' · ')}
      </Text>
    </div>
  );
}
