import { Box, Button, Menu, SegmentedControl, Select, Stack, Switch, Text, TextInput } from '@mantine/core';
import { CodeEditor, type CodeMark } from '@/components/CodeEditor';
import { Section } from '@/components/Section';
import { faultOf, type Forms, type Kind, KINDS } from './check';
import { EXAMPLES, type ExampleName } from './examples';
import type { Setup } from './setup';
import { useStructuredTexts } from './texts';

interface Props {
  setup: Setup;
  onChange: (setup: Setup) => void;
}

export function FormEditor({ setup, onChange }: Props) {
  const say = useStructuredTexts();
  const kinds = KINDS.map((value) => ({ value, label: say.kinds[value] }));
  const set = (kind: Kind | null) => onChange({ ...setup, kind: kind ?? setup.kind });
  return (
    <Section title={say.form} actions={<Examples onTake={(name) => onChange(taken(setup, name))} />}>
      <Stack gap="sm">
        <Box visibleFrom="sm">
          <SegmentedControl fullWidth aria-label={say.kind} value={setup.kind} onChange={set} data={kinds} />
        </Box>
        <Select hiddenFrom="sm" label={say.kind} allowDeselect={false} value={setup.kind} onChange={set} data={kinds} />
        <Text size="sm" c="dimmed">
          {say.hints[setup.kind]}
        </Text>
        <Fields kind={setup.kind} forms={setup.forms} onChange={(forms) => onChange({ ...setup, forms })} />
      </Stack>
    </Section>
  );
}

function taken(setup: Setup, name: ExampleName): Setup {
  const { kind, forms, prompt } = EXAMPLES[name];
  return { ...setup, kind, prompt, forms: { ...setup.forms, ...forms } };
}

function Examples({ onTake }: { onTake: (name: ExampleName) => void }) {
  const say = useStructuredTexts();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" variant="default">
          {say.example}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.keys(EXAMPLES) as ExampleName[]).map((name) => (
          <Menu.Item key={name} onClick={() => onTake(name)}>
            {say.examples[name]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Fields({ kind, forms, onChange }: { kind: Kind; forms: Forms; onChange: (forms: Forms) => void }) {
  const say = useStructuredTexts();
  const found = faultOf(kind, forms);
  const fault = found === null ? null : found.fault === 'noSchema' ? say.faults.noSchema(found.detail) : say.faults[found.fault];
  const isOfName = found?.fault === 'badName';
  const marks: CodeMark[] = fault === null || isOfName ? [] : [{ line: lineOf(found?.detail ?? '', forms.schema), message: fault }];
  switch (kind) {
    case 'json_schema':
      return (
        <>
          <TextInput label={say.name} value={forms.name} error={isOfName ? fault : null} spellCheck={false} onChange={(event) => onChange({ ...forms, name: event.currentTarget.value })} />
          <Switch label={say.strict} checked={forms.isStrict} onChange={(event) => onChange({ ...forms, isStrict: event.currentTarget.checked })} />
          <CodeEditor label={say.schema} language="json" value={forms.schema} marks={marks} minHeight="16rem" onChange={(schema) => onChange({ ...forms, schema })} />
          {marks.length > 0 && <Fault text={fault} />}
        </>
      );
    case 'json_object':
      return null;
    case 'regex':
      return (
        <TextInput
          label={say.regex}
          value={forms.regex}
          error={fault}
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          onChange={(event) => onChange({ ...forms, regex: event.currentTarget.value })}
        />
      );
    case 'grammar':
      return (
        <>
          <CodeEditor label={say.grammar} value={forms.grammar} minHeight="10rem" onChange={(grammar) => onChange({ ...forms, grammar })} />
          <Fault text={fault} />
        </>
      );
  }
}

function Fault({ text }: { text: string | null }) {
  return text === null ? null : (
    <Text size="xs" role="alert" c="var(--mantine-color-error)" className="breakable">
      {text}
    </Text>
  );
}

/** Where the parser found the fault, as far as it says. */
function lineOf(detail: string, text: string): number {
  const line = /line (\d+)/.exec(detail)?.[1];
  const position = /position (\d+)/.exec(detail)?.[1];
  if (line !== undefined) return Number(line);
  return position === undefined ? text.trimEnd().split('\n').length : text.slice(0, Number(position)).split('\n').length;
}
