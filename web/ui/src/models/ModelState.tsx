import { Group, Text, Tooltip } from '@mantine/core';
import { IconPinFilled } from '@tabler/icons-react';
import { StateBadge } from '@/components/StateBadge';
import type { LiveModel } from '@/live/state';
import { percent } from '@/text/format';
import { stateOf } from './actions';
import { useModelTexts } from './texts';

/** How a model is right now, in one word; how far it is, where it loads. */
export function ModelState({ row }: { row: LiveModel | undefined }) {
  const say = useModelTexts();
  return (
    <Group gap={6} wrap="nowrap">
      <ModelStateBadge row={row} />
      {row?.state === 'loading' && row.fraction !== null && (
        <Text size="xs" className="numbers">
          {percent(row.fraction)}
        </Text>
      )}
      {row?.pinned === true && (
        <Tooltip label={say.actions.pin}>
          <IconPinFilled size={14} aria-label={say.actions.pin} role="img" />
        </Tooltip>
      )}
    </Group>
  );
}

/** The word alone. */
export function ModelStateBadge({ row }: { row: LiveModel | undefined }) {
  const { states } = useModelTexts();
  const state = stateOf(row);
  return <StateBadge state={state} label={states[state as keyof typeof states] ?? state} />;
}
