import { Group, Progress, Text, Tooltip } from '@mantine/core';
import { figure } from '@/text/format';
import { type ContextUse, fullness } from './contextUse';
import { useChatTexts } from './texts';

const COLORS = { green: 'teal', yellow: 'yellow.6', red: 'red' } as const;

/** How full the context window is. */
export function ContextMeter({ use }: { use: ContextUse }) {
  const say = useChatTexts().meter;
  const words = (use.isExact ? say.of : say.about)(figure(use.tokens), figure(use.window));
  const state = fullness(use);
  const warning = use.tokens > use.window ? say.over : state === 'red' ? say.full : null;
  return (
    <Tooltip label={[say.help, use.isExact ? null : say.estimate].filter(Boolean).join(' ')}>
      <Group gap={8} wrap="nowrap" miw={0} tabIndex={0} role="group" aria-label={`${say.label}: ${words}`} style={{ borderRadius: 4 }}>
        <Progress value={Math.min(100, (100 * use.tokens) / use.window)} color={COLORS[state]} size="sm" w={64} miw={40} aria-label={say.label} data-fullness={state} />
        <Text size="xs" className="numbers" truncate>
          {words}
          {warning !== null && ` · ${warning}`}
        </Text>
      </Group>
    </Tooltip>
  );
}
