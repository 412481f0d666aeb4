import { Divider, NumberInput, SegmentedControl, Stack, Switch, TagsInput, Text, Textarea } from '@mantine/core';
import { useId } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { call, modelPath } from '@/api/http';
import { type Connection, isThisKronk } from '@/chat/connection';
import type { Sampling } from '@/chat/sampling';
import { SamplingPanel } from '@/chat/SamplingPanel';
import type { ChatSettings } from '@/chat/settings';
import { ConnectionSettings } from './ConnectionSettings';
import { useChatTexts } from './texts';

interface Props {
  settings: ChatSettings;
  connection: Connection;
  onChange: (settings: ChatSettings) => void;
}

// More alternatives than anybody reads; the server's own limit is higher.
const MOST_ALTERNATIVES = 10;
const USUAL_ALTERNATIVES = 5;

/** How the answers of a conversation are asked for. */
export function SettingsPanel({ settings, connection, onChange }: Props) {
  const say = useChatTexts().panel;
  const id = useId();
  const set = (change: Partial<ChatSettings>) => onChange({ ...settings, ...change });
  const own = useOwnSampling(isThisKronk(connection) ? settings.model : '');
  const canThink = connection.dialect !== 'openai';
  const number = (typed: string | number) => (typeof typed === 'number' ? typed : null);
  return (
    <Stack>
      <ConnectionSettings />
      <Textarea label={say.system} description={say.systemHelp} placeholder={say.systemPlaceholder} autosize minRows={3} maxRows={12} value={settings.system} onChange={(event) => set({ system: event.currentTarget.value })} />
      <div role="group" aria-labelledby={id}>
        <Text id={id} size="sm" fw={600}>
          {say.thinking}
        </Text>
        <Text size="xs" c="dimmed" mb={6}>
          {canThink ? say.thinkingHelp : say.onlyKronk}
        </Text>
        <SegmentedControl
          fullWidth
          size="xs"
          disabled={!canThink}
          value={settings.thinking}
          onChange={(value) => set({ thinking: value })}
          data={(['model', 'on', 'off'] as const).map((value) => ({ value, label: say.thinkingWays[value] }))}
        />
      </div>
      {connection.dialect === 'kronk' && settings.thinking !== 'off' && (
        <NumberInput size="sm" label={say.budget} placeholder={say.noLimit} min={0} allowDecimal={false} value={settings.thinking_budget ?? ''} onChange={(typed) => set({ thinking_budget: number(typed) })} />
      )}
      <NumberInput size="sm" label={say.maxTokens} placeholder={say.noLimit} min={1} step={64} allowDecimal={false} value={settings.max_tokens ?? ''} onChange={(typed) => set({ max_tokens: number(typed) })} />
      <TagsInput size="sm" label={say.stop} description={say.stopHelp} maxTags={4} value={settings.stop} onChange={(stop) => set({ stop })} />
      <Switch
        label={say.logprobs}
        description={say.logprobsHelp}
        checked={settings.logprobs !== null}
        onChange={(event) => set({ logprobs: event.currentTarget.checked ? USUAL_ALTERNATIVES : null })}
      />
      {settings.logprobs !== null && (
        <NumberInput size="sm" label={say.alternatives} min={0} max={MOST_ALTERNATIVES} allowDecimal={false} value={settings.logprobs} onChange={(typed) => set({ logprobs: number(typed) ?? 0 })} />
      )}
      <Divider />
      <SamplingPanel preset={settings.preset} sampling={settings.sampling} own={own} onChange={set} />
    </Stack>
  );
}

interface Details {
  configuration?: { sampling_parameters?: Sampling };
}

/** What the model's configuration says of sampling, for what is not set here. */
function useOwnSampling(model: string): Sampling {
  const { data } = useQuery({
    queryKey: ['models', 'details', model],
    queryFn: ({ signal }) => call<Details>(`/v1/kronk/models/${modelPath(model)}`, { signal }),
    enabled: model !== '',
    staleTime: 60_000,
    retry: false,
  });
  return data?.configuration?.sampling_parameters ?? {};
}
