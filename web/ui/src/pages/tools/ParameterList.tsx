import { ActionIcon, Button, Checkbox, Group, Paper, Select, Stack, TagsInput, Text, TextInput, Tooltip } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { Faults } from './faults';
import { hasChoices, newParameter, type Parameter, type ParameterType, TYPES } from './schema';
import { useToolsTexts } from './texts';

interface ListProps {
  parameters: readonly Parameter[];
  isStrict: boolean;
  faults: Faults;
  onChange: (parameters: Parameter[]) => void;
  /** Whose members they are; of the function itself without. */
  owner?: string;
}

export function ParameterList({ parameters, isStrict, faults, onChange, owner }: ListProps) {
  const say = useToolsTexts().parameters;
  const change = (next: Parameter) => onChange(parameters.map((old) => (old.key === next.key ? next : old)));
  return (
    <Stack gap="sm" role="group" aria-label={owner === undefined ? undefined : say.members(owner)}>
      {parameters.length === 0 && owner === undefined && <Text size="sm">{say.none}</Text>}
      {parameters.map((parameter) => (
        <Paper key={parameter.key} p="xs">
          <Stack gap="xs">
            <Head parameter={parameter} faults={faults} onChange={change} onRemove={() => onChange(parameters.filter((old) => old.key !== parameter.key))} />
            <Kind parameter={parameter} isStrict={isStrict} faults={faults} onChange={change} />
            <Checkbox label={say.required} checked={parameter.isRequired || isStrict} disabled={isStrict} onChange={(event) => change({ ...parameter, isRequired: event.currentTarget.checked })} />
          </Stack>
        </Paper>
      ))}
      <Group>
        <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => onChange([...parameters, newParameter({ isRequired: true })])}>
          {owner === undefined ? say.add : say.addMember}
        </Button>
      </Group>
    </Stack>
  );
}

interface OneProps {
  parameter: Parameter;
  isStrict: boolean;
  faults: Faults;
  onChange: (parameter: Parameter) => void;
}

function Head({ parameter, faults, onChange, onRemove }: Omit<OneProps, 'isStrict'> & { onRemove: () => void }) {
  const all = useToolsTexts();
  const say = all.parameters;
  const fault = faults[`${parameter.key}.name`];
  return (
    <>
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <TextInput
          size="sm"
          label={say.name}
          value={parameter.name}
          error={fault === undefined ? null : all.faults[fault]}
          spellCheck={false}
          style={{ flex: 1, minWidth: 0 }}
          onChange={(event) => onChange({ ...parameter, name: event.currentTarget.value })}
        />
        <TypeSelect parameter={parameter} label={say.type} onChange={onChange} />
        <Tooltip label={say.remove(parameter.name)}>
          <ActionIcon mt={25} size={34} variant="subtle" color="gray" aria-label={say.remove(parameter.name)} onClick={onRemove}>
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Group>
      <TextInput size="sm" label={say.about} value={parameter.description} onChange={(event) => onChange({ ...parameter, description: event.currentTarget.value })} />
    </>
  );
}

function TypeSelect({ parameter, label, onChange }: Pick<OneProps, 'parameter' | 'onChange'> & { label: string }) {
  const say = useToolsTexts().types;
  const change = (type: ParameterType) => onChange({ ...parameter, type, item: type === 'array' ? (parameter.item ?? newParameter()) : parameter.item });
  return (
    <Select
      size="sm"
      label={label}
      allowDeselect={false}
      value={parameter.type}
      data={TYPES.map((value) => ({ value, label: say[value] }))}
      style={{ flex: '0 1 9rem', minWidth: 0 }}
      onChange={(value) => change(value ?? 'string')}
    />
  );
}

/** What its value may be: of an object its members, of a list its items. */
function Kind({ parameter, isStrict, faults, onChange, isItem = false }: OneProps & { isItem?: boolean }) {
  const all = useToolsTexts();
  const say = all.parameters;
  const { key, type, choices, members, item } = parameter;
  return (
    <>
      {isItem && <TypeSelect parameter={parameter} label={say.itemType} onChange={onChange} />}
      {hasChoices(type) && (
        <TagsInput
          size="sm"
          label={say.choices}
          description={say.choicesHint}
          value={choices}
          error={faults[`${key}.choices`] === undefined ? null : all.faults.badChoice}
          onChange={(next) => onChange({ ...parameter, choices: next })}
        />
      )}
      {type === 'object' && (
        <>
          {faults[`${key}.members`] !== undefined && (
            <Text size="xs" c="var(--mantine-color-error)">
              {all.faults.noMembers}
            </Text>
          )}
          <ParameterList parameters={members} isStrict={isStrict} faults={faults} owner={parameter.name === '' ? say.item : parameter.name} onChange={(next) => onChange({ ...parameter, members: next })} />
        </>
      )}
      {type === 'array' && item !== null && (
        <Stack gap="xs" pl="sm" style={{ borderInlineStart: '2px solid var(--mantine-color-default-border)' }}>
          <Kind parameter={item} isItem isStrict={isStrict} faults={faults} onChange={(next) => onChange({ ...parameter, item: next })} />
        </Stack>
      )}
    </>
  );
}
