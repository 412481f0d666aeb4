import { Alert, Anchor, Group, Paper, Progress, Stack, Text, Title } from '@mantine/core';
import { Link } from 'react-router';
import { Facts } from '@/components/Facts';
import type { LiveCache, LiveModel } from '@/live/state';
import { pageOf } from '@/models/actions';
import { ModelActions } from '@/models/ModelActions';
import { ModelState } from '@/models/ModelState';
import { useModelTexts } from '@/models/texts';
import { bytes, figure, percent, seconds } from '@/text/format';
import { Slots } from './Slots';
import { useRunningTexts } from './texts';

/** A model's process, live. */
export function RunningModel({ model }: { model: LiveModel }) {
  const say = useRunningTexts();
  return (
    <Paper component="section" p="md" aria-label={model.model}>
      <Stack gap="sm">
        <Group justify="space-between" align="flex-start" gap="xs">
          <Stack gap={4} style={{ flex: '1 1 12rem', minWidth: 0 }}>
            <Title order={2} size="h5" className="breakable">
              <Anchor component={Link} to={pageOf(model.model)} inherit>
                {model.model}
              </Anchor>
            </Title>
            <ModelState row={model} />
          </Stack>
          <ModelActions model={model.model} row={model} />
        </Group>
        {model.state === 'loading' && <LoadProgress model={model} />}
        {model.last_exit !== null && model.state !== 'ready' && (
          <Alert color="red" p="xs">
            <Text size="sm" className="breakable">
              {model.last_exit}
            </Text>
            {model.retry_in !== null && <Text size="sm">{say.retryIn(seconds(model.retry_in))}</Text>}
          </Alert>
        )}
        {model.state === 'ready' && <Slots slots={model.slots} context={model.n_ctx} />}
        <Facts
          rows={[
            [say.speed, model.state === 'ready' ? `${figure(model.tokens_per_second, 1)} ${say.tokensPerSecond}` : null],
            [say.queued, figure(model.queued)],
            [say.memory, bytes(model.rss_bytes)],
            [say.setAside, model.predicted_bytes === null ? null : bytes(model.predicted_bytes)],
            [say.context, model.n_ctx === null ? null : figure(model.n_ctx)],
            [say.leaves, leaves(model, say)],
            [say.host, model.host],
            [say.restarts, model.restarts > 0 ? figure(model.restarts) : null],
            [say.lastExit, model.state === 'ready' && model.last_exit !== null ? `${model.last_exit} (${say.ago(seconds(model.last_exit_age))})` : null],
          ]}
        />
        <Caches caches={model.caches} />
      </Stack>
    </Paper>
  );
}

/** When it leaves memory by itself. */
function leaves(model: LiveModel, say: ReturnType<typeof useRunningTexts>): string | null {
  if (model.state !== 'ready') return null;
  if (model.pinned) return say.pinned;
  if (model.expires_in !== null) return say.unloadsIn(seconds(Math.max(0, Math.round(model.expires_in))));
  return model.ttl === null ? say.stays : say.inUse;
}

function LoadProgress({ model }: { model: LiveModel }) {
  const say = useRunningTexts();
  const { left, phases } = useModelTexts();
  const line = [model.phase === null ? null : phases[model.phase], model.fraction === null ? null : percent(model.fraction), say.since(seconds(model.state_seconds)), model.eta === null ? null : left(seconds(model.eta))];
  return (
    <Stack gap={4}>
      <Progress value={model.fraction === null ? 100 : 100 * model.fraction} striped={model.fraction === null} animated aria-label={say.loading(model.model)} />
      <Text size="sm" className="numbers">
        {line.filter((one) => one !== null).join(' · ')}
      </Text>
    </Stack>
  );
}

function Caches({ caches }: { caches: readonly LiveCache[] }) {
  const say = useRunningTexts();
  const used = caches.filter((cache) => cache.entries > 0);
  if (used.length === 0) return null;
  return (
    <div>
      <Title order={3} size="h6" mb={4}>
        {say.caches}
      </Title>
      <Facts
        rows={used.map((cache) => [
          say.cacheKinds[cache.kind],
          say.cache(cache.entries, cache.cap_bytes === null ? bytes(cache.bytes) : `${bytes(cache.bytes)} / ${bytes(cache.cap_bytes)}`),
        ])}
      />
    </div>
  );
}
