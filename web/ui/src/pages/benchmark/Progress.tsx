import { Group, Progress as Bar, Text } from '@mantine/core';
import { Section } from '@/components/Section';
import { useLive } from '@/live/store';
import { figure, seconds } from '@/text/format';
import type { Run } from './api';
import { useBenchmarkTexts } from './texts';

// Before that, what was slow at the start says too much.
const LEAST_DONE = 2;

/** What a run is doing, and how far it is. */
export function Progress({ run }: { run: Run }) {
  const say = useBenchmarkTexts();
  const step = run.progress;
  // The server's clock: it is its time at which the run began.
  const now = useLive().state?.time;
  const share = step === null || step.total === 0 ? 0 : step.done / step.total;
  const left = step === null || now === undefined || step.done < LEAST_DONE ? null : ((now - run.created) * (1 - share)) / share;
  const what = step === null ? say.starting : `${say.phases[step.phase]}${step.cell === null ? '' : `: ${say.cell(figure(step.cell.prompt_tokens), step.cell.concurrency)}`}`;
  return (
    <Section title={say.progress}>
      <Group justify="space-between" gap="xs" mb={6} role="status">
        <Text size="sm">{what}</Text>
        <Text size="sm" c="dimmed" className="numbers">
          {step !== null && say.round(step.done, step.total)}
          {left !== null && `, ${say.left(seconds(left))}`}
        </Text>
      </Group>
      <Bar.Root size="lg">
        <Bar.Section value={100 * share} animated aria-label={say.progress} />
      </Bar.Root>
      <Text size="sm" c="dimmed" mt="xs">
        {say.mayLeave}
      </Text>
    </Section>
  );
}
