import { Anchor, Box, Group, Input, Select, type SelectProps, Text } from '@mantine/core';
import { useMemo } from 'react';
import { Link } from 'react-router';
import { useModels } from '@/api/models';
import { useLive } from '@/live/store';
import { bytes } from '@/text/format';
import { texts } from '@/text/texts';
import { ErrorNotice } from './ErrorNotice';
import { type ModelOption, optionsOf, type Purpose } from './modelOptions';
import { Purposes } from './Purposes';

const useWords = texts({
  en: {
    model: 'Model',
    choose: 'Choose a model',
    none: 'No model is like that',
    loaded: 'loaded',
    aliasOf: (model: string) => `stands for ${model}`,
    gone: 'is not there',
    empty: {
      any: 'There is no model yet.',
      chat: 'There is no model yet that chats.',
      embeddings: 'There is no model yet that makes embeddings.',
      rerank: 'There is no model yet that ranks.',
      vision: 'There is no model yet that sees images.',
      audio: 'There is no model yet that hears.',
      tools: 'There is no model yet that uses tools.',
    },
    fetch: 'Fetch one from the catalog',
  },
  de: {
    model: 'Modell',
    choose: 'Modell wählen',
    none: 'Kein Modell passt dazu',
    loaded: 'geladen',
    aliasOf: (model: string) => `steht für ${model}`,
    gone: 'ist nicht da',
    empty: {
      any: 'Noch ist kein Modell da.',
      chat: 'Noch ist kein Modell zum Chatten da.',
      embeddings: 'Noch ist kein Modell für Embeddings da.',
      rerank: 'Noch ist kein Modell zum Sortieren da.',
      vision: 'Noch ist kein Modell da, das Bilder sieht.',
      audio: 'Noch ist kein Modell da, das hört.',
      tools: 'Noch ist kein Modell da, das Werkzeuge benutzt.',
    },
    fetch: 'Hol eines aus dem Katalog',
  },
});

interface Props extends Omit<SelectProps, 'data' | 'value' | 'onChange' | 'renderOption'> {
  /** The name as requests use it: an id or an alias. */
  value: string | null;
  onChange: (name: string | null) => void;
  /** Leaves out models that are not for that. */
  purpose?: Purpose;
}

/** A choice among the models that are there; those that are loaded are marked. */
export function ModelSelect({ value, onChange, purpose = 'any', label, ...rest }: Props) {
  const say = useWords();
  const { data: models, error, refetch } = useModels();
  const running = useLive().state?.models;
  const loaded = useMemo(() => new Set(running?.filter((row) => row.state === 'ready').map((row) => row.model)), [running]);
  const options = useMemo(() => optionsOf(models ?? [], loaded, purpose, value), [models, loaded, purpose, value]);
  const name = label ?? (rest['aria-label'] === undefined ? say.model : undefined);
  if (error !== null && models === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (models !== undefined && options.length === 0) {
    return (
      <Input.Wrapper label={name} labelElement="div">
        <Text size="sm">
          {say.empty[purpose]}{' '}
          <Anchor component={Link} to="/catalog" size="sm">
            {say.fetch}
          </Anchor>
        </Text>
      </Input.Wrapper>
    );
  }
  return (
    <Select
      placeholder={say.choose}
      nothingFoundMessage={say.none}
      maxDropdownHeight={360}
      checkIconPosition="right"
      allowDeselect={false}
      searchable
      comboboxProps={{ shadow: 'md', width: 'max-content', position: 'bottom-start' }}
      {...rest}
      label={name}
      value={value === '' ? null : value}
      onChange={onChange}
      data={options}
      leftSection={options.some((option) => option.value === value && option.isLoaded) ? <Dot name={say.loaded} /> : rest.leftSection}
      renderOption={({ option }) => <Row option={option as ModelOption} />}
    />
  );
}

function Row({ option }: { option: ModelOption }) {
  const say = useWords();
  const { model } = option;
  return (
    <Box style={{ minWidth: 0, maxWidth: 'min(34rem, 80vw)' }}>
      <Group gap={6} wrap="nowrap">
        {option.isLoaded && <Dot name={say.loaded} />}
        <Text size="sm" className="breakable">
          {option.label}
        </Text>
      </Group>
      <Group gap={8}>
        {model === null && <Text size="xs">{say.gone}</Text>}
        {option.aliasOf !== null && (
          <Text size="xs" c="dimmed">
            {say.aliasOf(option.aliasOf)}
          </Text>
        )}
        {model !== null && (
          <Text size="xs" c="dimmed" className="numbers">
            {[model.quantization, bytes(model.size_bytes)].filter((one) => one !== null).join(' · ')}
          </Text>
        )}
        {model !== null && <Purposes capabilities={model.capabilities} size="xs" />}
      </Group>
    </Box>
  );
}

function Dot({ name }: { name: string }) {
  return <Box w={9} h={9} bg="teal" role="img" aria-label={name} title={name} style={{ borderRadius: '50%', flex: 'none' }} />;
}
