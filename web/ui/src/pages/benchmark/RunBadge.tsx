import { Badge } from '@mantine/core';
import type { RunState } from './api';
import { useBenchmarkTexts } from './texts';

const COLORS: Record<RunState, string> = { running: 'blue', complete: 'teal', incomplete: 'orange', cancelled: 'gray', failed: 'red' };

export function RunBadge({ state }: { state: RunState }) {
  const say = useBenchmarkTexts();
  return (
    <Badge variant="light" color={COLORS[state]} tt="none" autoContrast>
      {say.states[state]}
    </Badge>
  );
}
