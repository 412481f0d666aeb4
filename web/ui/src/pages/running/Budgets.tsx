import { Anchor, Box, Group, Progress, Stack, Text, Tooltip } from '@mantine/core';
import { Link } from 'react-router';
import type { LiveBudget, LiveState } from '@/live/state';
import { pageOf } from '@/models/actions';
import { bytes, percent } from '@/text/format';
import { sharesOf } from './shares';
import { useRunningTexts } from './texts';

const COLORS = ['kronk.6', 'blue.6', 'grape.6', 'orange.6', 'cyan.6', 'pink.6', 'lime.7', 'indigo.5'] as const;

/** What is set aside of each device's budget, and for whom. */
export function Budgets({ state }: { state: LiveState }) {
  const say = useRunningTexts();
  const { memory, disk } = state.system;
  return (
    <Stack gap="md">
      {state.budgets.map((budget) => (
        <Budget key={budget.device} budget={budget} state={state} />
      ))}
      <Text size="sm" c="dimmed" className="numbers">
        {say.machine(bytes(memory.used_bytes), bytes(memory.total_bytes))}
        {disk !== null && <> · {say.disk(bytes(disk.free_bytes))}</>}
      </Text>
    </Stack>
  );
}

function Budget({ budget, state }: { budget: LiveBudget; state: LiveState }) {
  const say = useRunningTexts();
  const { shares, rest, free } = sharesOf(budget, state.models);
  const device = budget.device === 'host' ? say.host : budget.device;
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs">
        <Text fw={500}>{device}</Text>
        <Text size="sm" className="numbers">
          {say.budget(bytes(budget.reserved_bytes), bytes(budget.budget_bytes), bytes(free))}
        </Text>
      </Group>
      <Progress.Root size={18} aria-label={say.budgetLabel(device)}>
        {shares.map(({ model, bytes: size, share }, at) => (
          <Tooltip key={model} label={`${model}: ${bytes(size)}`}>
            <Progress.Section value={100 * share} color={COLORS[at % COLORS.length] ?? 'kronk'} aria-label={`${model}: ${bytes(size)} (${percent(share)})`} />
          </Tooltip>
        ))}
        {rest > 0 && <Progress.Section value={(100 * rest) / Math.max(1, budget.budget_bytes)} color="gray.5" aria-label={`${say.other}: ${bytes(rest)}`} />}
      </Progress.Root>
      <Group gap="md">
        {shares.map(({ model, bytes: size }, at) => (
          <Group key={model} gap={6} wrap="nowrap">
            <Box w={10} h={10} bg={COLORS[at % COLORS.length] ?? 'kronk'} style={{ borderRadius: 3, flex: 'none' }} />
            <Anchor component={Link} to={pageOf(model)} size="sm" className="breakable">
              {model}
            </Anchor>
            <Text size="sm" className="numbers" style={{ whiteSpace: 'nowrap' }}>
              {bytes(size)}
            </Text>
          </Group>
        ))}
      </Group>
    </Stack>
  );
}
