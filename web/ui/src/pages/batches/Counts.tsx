import { Box, Group, Progress, Text } from '@mantine/core';
import type { Batch } from './api';
import { useBatchTexts } from './texts';

/** How many requests of a batch are done, and how many of them failed. */
export function Counts({ batch, size = 'sm' }: { batch: Batch; size?: 'sm' | 'lg' }) {
  const say = useBatchTexts();
  const { total, completed, failed } = batch.request_counts;
  const share = (count: number) => (total === 0 ? 0 : (100 * count) / total);
  return (
    <Box miw={140}>
      <Group justify="space-between" gap="xs" mb={2}>
        <Text size="sm" className="numbers">
          {say.counts(completed + failed, total)}
        </Text>
        {failed > 0 && (
          <Text size="sm" className="numbers" c="var(--mantine-color-error)">
            {say.failedCount(failed)}
          </Text>
        )}
      </Group>
      <Progress.Root size={size}>
        <Progress.Section value={share(completed)} color="teal" aria-label={say.columns.progress} />
        <Progress.Section value={share(failed)} color="red" aria-label={say.detail.facts.failed} />
      </Progress.Root>
    </Box>
  );
}
