import { Group, Loader, Progress, Stack, Text } from '@mantine/core';
import { useLive } from '@/live/store';
import { useModelTexts } from '@/models/texts';
import { percent, seconds } from '@/text/format';
import { useChatTexts } from './texts';

/** Why nothing has come yet: the model is loaded, others are before, the prompt is read. */
export function Waiting({ model, standing }: { model: string; standing: string | null }) {
  const say = useChatTexts();
  const row = useLive().state?.models.find((one) => one.model === model);
  const isLoading = row !== undefined && (row.state === 'loading' || row.state === 'starting' || row.phase !== null);
  const { left, phases } = useModelTexts();
  const parts = isLoading
    ? [say.loading(model), row.phase === null ? null : phases[row.phase], row.eta === null ? null : left(seconds(row.eta))]
    : [standing ?? (row !== undefined && row.slots_busy > 0 ? say.reading : say.waiting)];
  return (
    <Stack gap={6} role="status" maw={420} py={4}>
      <Group gap="xs" wrap="nowrap">
        <Loader size="xs" type="dots" aria-hidden />
        <Text size="sm" c="dimmed" className="breakable numbers">
          {parts.filter((part) => part !== null).join(' · ')}
        </Text>
      </Group>
      {isLoading && row.fraction !== null && <Progress value={100 * row.fraction} size="sm" aria-label={`${say.loading(model)}: ${percent(row.fraction)}`} />}
    </Stack>
  );
}
