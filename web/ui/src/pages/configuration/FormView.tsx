import { Badge, Button, Group, Select, Stack, Switch, Text, TextInput } from '@mantine/core';
import { IconAdjustments, IconDatabaseOff, IconSearch } from '@tabler/icons-react';
import { type RefObject, useCallback, useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { type Check, type ConfiguredModel, editText, useSchema } from './api';
import { fieldsOf } from './fields';
import { Groups } from './Groups';
import { useConfigurationTexts } from './texts';
import { VariantMaker } from './VariantMaker';

interface Props {
  check: Check | undefined;
  /** The text as it is when a field is left. */
  text: RefObject<string>;
  onText: (text: string) => void;
  onReveal: (line: number) => void;
}

/** The settings of one model as a form; each change is made in the text. */
export function FormView({ check, text, onText, onReveal }: Props) {
  const say = useConfigurationTexts().form;
  const { data: schema, error } = useSchema();
  const [search, setSearch] = useSearchParams();
  const [wanted, setWanted] = useState('');
  const [isOnlySet, setOnlySet] = useState(false);
  const fields = useMemo(
    () => (schema === undefined ? [] : fieldsOf(schema.definitions.model.properties, schema.definitions.sampling_parameters.properties, say.sampling)),
    [schema, say.sampling],
  );
  const name = search.get('model');
  const choose = useCallback((model: string | null) => setSearch(model === null ? {} : { model }, { replace: true }), [setSearch]);
  const change = useCallback(
    async (key: string, value: unknown) => {
      if (name === null) return;
      const next = await editText(text.current, name, key, value);
      onText(next);
    },
    [name, text, onText],
  );
  if (error !== null) return <ErrorNotice error={error} />;
  if (check === undefined || schema === undefined) return <Loading rows={8} />;
  const model = check.models.find((row) => row.id === name) ?? (name === null ? undefined : unknownModel(name, check.models));
  if (check.models.length === 0) {
    const fetch = (
      <Button component={Link} to="/catalog">
        {say.none.fetch}
      </Button>
    );
    return <EmptyState icon={IconDatabaseOff} title={say.none.title} text={say.none.text} action={fetch} />;
  }
  return (
    <Stack>
      <Group align="flex-end" gap="sm">
        <Select
          label={say.model}
          placeholder={say.choose}
          searchable
          style={{ flex: '1 1 18rem' }}
          value={name}
          onChange={choose}
          data={check.models.map((row) => ({ value: row.id, label: row.id }))}
          renderOption={({ option }) => <ModelRow model={check.models.find((row) => row.id === option.value)} />}
        />
        <VariantMaker models={check.models} chosen={name} onMade={choose} />
      </Group>
      {model === undefined && <EmptyState icon={IconAdjustments} title={say.choose} text={say.pick} />}
      {model !== undefined && (
        <>
          <Group gap="md">
            <TextInput
              aria-label={say.find}
              placeholder={say.find}
              leftSection={<IconSearch size={16} aria-hidden />}
              value={wanted}
              onChange={(event) => setWanted(event.currentTarget.value)}
              style={{ flex: '1 1 14rem' }}
            />
            <Switch label={say.onlySet} checked={isOnlySet} onChange={(event) => setOnlySet(event.currentTarget.checked)} />
          </Group>
          <Groups key={model.id} model={model} fields={fields} wanted={wanted} isOnlySet={isOnlySet} problems={check.problems} onChange={change} onReveal={onReveal} />
        </>
      )}
    </Stack>
  );
}

/** A name that neither the disk nor the text has yet, as a variant that is just being made: it
 * begins as its model without settings of its own. */
function unknownModel(name: string, known: readonly ConfiguredModel[]): ConfiguredModel {
  const base = known.find((row) => name.startsWith(`${row.id}/`));
  return { id: name, on_disk: base?.on_disk ?? false, configuration: {}, origins: {}, written: {} };
}

function ModelRow({ model }: { model: ConfiguredModel | undefined }) {
  const say = useConfigurationTexts().form;
  if (model === undefined) return null;
  return (
    <Group gap="xs">
      <Text size="sm" className="breakable">
        {model.id}
      </Text>
      {Object.keys(model.written).length > 0 && (
        <Badge size="sm" variant="light" tt="none">
          {say.inFile}
        </Badge>
      )}
      {!model.on_disk && (
        <Badge size="sm" variant="light" color="gray" tt="none">
          {say.notOnDisk}
        </Badge>
      )}
    </Group>
  );
}
