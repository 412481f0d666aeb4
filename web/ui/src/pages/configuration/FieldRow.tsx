import { ActionIcon, Anchor, Badge, Box, Code, Group, Select, TagsInput, Text, TextInput, Tooltip } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { type KeyboardEvent, useId, useState } from 'react';
import type { ConfiguredModel, Problem } from './api';
import classes from './FieldRow.module.css';
import { entered, faultOf, type Field, shown } from './fields';
import { useConfigurationTexts } from './texts';

interface Props {
  field: Field;
  model: ConfiguredModel;
  problem: Problem | undefined;
  onChange: (key: string, value: unknown) => Promise<void>;
  onReveal: (line: number) => void;
}

/** One setting: what it means, what it is entered with, and where its value comes from. */
export function FieldRow({ field, model, problem, onChange, onReveal }: Props) {
  const say = useConfigurationTexts().form;
  const id = useId();
  const [refusal, setRefusal] = useState<string | null>(null);
  const written = model.written[field.key];
  const change = async (value: unknown) => {
    setRefusal(null);
    try {
      await onChange(field.key, value);
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
  };
  const name = field.key.replace('sampling_parameters.', '');
  return (
    <Box className={classes.row}>
      <Box className={classes.about}>
        <Group gap={6}>
          <Text component="label" htmlFor={id} size="sm" fw={600} ff="monospace" className="breakable">
            {name}
          </Text>
          <Origin field={field} model={model} onReveal={onReveal} />
        </Group>
        <Text size="xs" c="dimmed" id={`${id}-help`} className="breakable">
          {field.help.replaceAll('`', '')}
        </Text>
      </Box>
      <Box className={classes.control}>
        <Entry
          // Another value from elsewhere is another field.
          key={JSON.stringify(written?.value ?? null)}
          id={id}
          field={field}
          value={written?.value ?? null}
          placeholder={placeholderOf(field, model) ?? say.byDefault}
          error={refusal ?? problem?.message ?? null}
          onChange={change}
          onYaml={() => onReveal(written?.line ?? 1)}
        />
        {written !== undefined && !written.merged && (
          <Tooltip label={say.unset(name)}>
            <ActionIcon variant="subtle" color="gray" aria-label={say.unset(name)} onClick={() => void change(null)} mt={4}>
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </Box>
    </Box>
  );
}

/** What is in force, of what the file does not say. */
function placeholderOf(field: Field, model: ConfiguredModel): string | null {
  const [key, parameter] = field.key.split('.');
  const value = model.configuration[key ?? ''];
  const own = parameter === undefined ? value : (value as Record<string, unknown> | undefined)?.[parameter];
  return own === null || own === undefined || (Array.isArray(own) && own.length === 0) ? null : shown(own);
}

function Origin({ field, model, onReveal }: Pick<Props, 'field' | 'model' | 'onReveal'>) {
  const say = useConfigurationTexts().form.origin;
  const written = model.written[field.key];
  if (written !== undefined) {
    const word = written.merged ? say.merged : written.line === null ? '' : say.file(String(written.line));
    return (
      <Anchor component="button" type="button" size="xs" onClick={() => onReveal(written.line ?? 1)}>
        {word}
      </Anchor>
    );
  }
  const origin = model.origins[field.key] ?? 'default';
  if (origin === 'catalog') {
    return (
      <Badge size="sm" variant="light" color="blue" tt="none">
        {say.catalog}
      </Badge>
    );
  }
  if (origin.startsWith('preset ')) {
    return (
      <Badge size="sm" variant="light" color="violet" tt="none">
        {say.preset(origin.slice('preset '.length))}
      </Badge>
    );
  }
  return null;
}

interface EntryProps {
  id: string;
  field: Field;
  value: unknown;
  placeholder: string;
  error: string | null;
  onChange: (value: unknown) => Promise<void>;
  onYaml: () => void;
}

function Entry({ id, field, value, placeholder, error, onChange, onYaml }: EntryProps) {
  const say = useConfigurationTexts().form;
  const { control } = field;
  const shared = { id, placeholder, error, 'aria-describedby': `${id}-help`, style: { flex: 1, minWidth: 0 } };
  if (control.kind === 'other') {
    return (
      <Box style={{ flex: 1, minWidth: 0 }} id={id} tabIndex={-1}>
        {value !== null && <Code block>{JSON.stringify(value, null, 1)}</Code>}
        <Anchor component="button" type="button" size="sm" onClick={onYaml}>
          {say.inYaml}
        </Anchor>
        {error !== null && (
          <Text size="xs" c="red">
            {error}
          </Text>
        )}
      </Box>
    );
  }
  if (control.kind === 'choice') {
    const data = value === null || control.options.includes(shown(value)) ? [...control.options] : [...control.options, shown(value)];
    return <Select {...shared} data={data} value={value === null ? null : shown(value)} clearable onChange={(word) => void onChange(word === null ? null : entered(control, word))} />;
  }
  if (control.kind === 'list') {
    const words = value === null ? [] : Array.isArray(value) ? value.map((one) => shown(one)) : [shown(value)];
    const send = (next: string[]) => onChange(next.length === 0 ? null : control.ofNumbers && next.every((word) => Number.isFinite(Number(word))) ? next.map(Number) : next);
    return <TagsInput {...shared} placeholder={words.length > 0 ? say.addEntry : placeholder} value={words} onChange={(next) => void send(next)} splitChars={[]} acceptValueOnBlur />;
  }
  return <Words {...shared} field={field} value={value} onChange={onChange} />;
}

interface WordsProps extends Omit<EntryProps, 'onYaml'> {
  'aria-describedby': string;
  style: { flex: number; minWidth: number };
}

/** A value that is typed: sent when the field is left, or with Enter. */
function Words({ field, value, error, onChange, ...shared }: WordsProps) {
  const say = useConfigurationTexts().form.faults;
  const { control } = field;
  const before = value === null ? '' : shown(value);
  const [text, setText] = useState(before);
  const fault = faultOf(control, text);
  const send = () => {
    if (fault === null && text.trim() !== before) void onChange(entered(control, text));
  };
  const limits = control.kind === 'number' ? control : { min: null, max: null };
  const said = { notNumber: say.notNumber, notWhole: say.notWhole, tooSmall: say.tooSmall(String(limits.min)), tooLarge: say.tooLarge(String(limits.max)) };
  return (
    <TextInput
      {...shared}
      inputMode={control.kind === 'number' ? (control.isWhole ? 'numeric' : 'decimal') : 'text'}
      value={text}
      error={fault === null ? (text === before ? error : (error ?? undefined)) : said[fault]}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={send}
      onKeyDown={(event: KeyboardEvent) => event.key === 'Enter' && send()}
    />
  );
}
