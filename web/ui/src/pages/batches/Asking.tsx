import { NumberInput, Select, SimpleGrid, Textarea, TextInput } from '@mantine/core';
import { ModelSelect } from '@/components/ModelSelect';
import { type Endpoint, ENDPOINTS, writes } from './requests';
import { useBatchTexts } from './texts';
import type { Draft } from './useDraft';

interface Props {
  draft: Draft;
  problems: { maxTokens?: string; temperature?: string };
  onChange: (changes: Partial<Draft>) => void;
}

/** Which model is asked, and how. */
export function Asking({ draft, problems, onChange }: Props) {
  const say = useBatchTexts();
  const words = say.new;
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }}>
      <ModelSelect
        purpose={draft.endpoint === '/v1/embeddings' ? 'embeddings' : 'chat'}
        value={draft.model}
        onChange={(model) => onChange({ model: model ?? '' })}
      />
      <Select
        label={words.endpoint}
        allowDeselect={false}
        data={ENDPOINTS.map((endpoint) => ({ value: endpoint, label: `${say.endpoints[endpoint]} (${endpoint})` }))}
        value={draft.endpoint}
        onChange={(endpoint) => onChange({ endpoint: endpoint as Endpoint })}
      />
      {writes(draft.endpoint) && (
        <>
          <NumberInput
            label={words.maxTokens}
            description={words.maxTokensHelp}
            value={draft.maxTokens}
            error={problems.maxTokens}
            allowDecimal={false}
            allowNegative={false}
            onChange={(maxTokens) => onChange({ maxTokens })}
          />
          <NumberInput
            label={words.temperature}
            description={words.temperatureHelp}
            value={draft.temperature}
            error={problems.temperature}
            step={0.1}
            decimalScale={3}
            onChange={(temperature) => onChange({ temperature })}
          />
          <Textarea
            label={words.system}
            description={words.systemHelp}
            value={draft.system}
            minRows={2}
            maxRows={8}
            autosize
            onChange={(event) => onChange({ system: event.currentTarget.value })}
          />
        </>
      )}
      <TextInput label={words.name} description={words.nameHelp} value={draft.name} maxLength={200} onChange={(event) => onChange({ name: event.currentTarget.value })} />
    </SimpleGrid>
  );
}
