import { Stack, Switch, Tabs, Textarea, TextInput } from '@mantine/core';
import { CodeBlock } from '@/components/message/CodeBlock';
import type { Faults } from './faults';
import { MockEditor } from './MockEditor';
import { ParameterList } from './ParameterList';
import { schemaOf, type ToolDraft } from './schema';
import { useToolsTexts } from './texts';

interface Props {
  tool: ToolDraft;
  faults: Faults;
  onChange: (tool: ToolDraft) => void;
}

export function ToolEditor({ tool, faults, onChange }: Props) {
  const say = useToolsTexts();
  const fault = (field: string) => {
    const found = faults[`${tool.key}.${field}`];
    return found === undefined ? null : say.faults[found];
  };
  return (
    <Stack gap="sm">
      <TextInput
        label={say.name}
        description={say.nameHint}
        value={tool.name}
        error={fault('name')}
        spellCheck={false}
        onChange={(event) => onChange({ ...tool, name: event.currentTarget.value })}
      />
      <Textarea label={say.about} placeholder={say.aboutHint} autosize minRows={1} maxRows={5} value={tool.description} onChange={(event) => onChange({ ...tool, description: event.currentTarget.value })} />
      <Switch label={say.strict} description={say.strictHint} checked={tool.isStrict} onChange={(event) => onChange({ ...tool, isStrict: event.currentTarget.checked })} />
      <Tabs defaultValue="parameters" variant="outline">
        <Tabs.List mb="sm">
          {(['parameters', 'answers', 'schema'] as const).map((name) => (
            <Tabs.Tab key={name} value={name}>
              {say.sections[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="parameters">
          <ParameterList parameters={tool.parameters} isStrict={tool.isStrict} faults={faults} onChange={(parameters) => onChange({ ...tool, parameters })} />
        </Tabs.Panel>
        <Tabs.Panel value="answers">
          <MockEditor mock={tool.mock} parameters={tool.parameters.map(({ name }) => name)} fault={fault('answer')} faults={faults} onChange={(mock) => onChange({ ...tool, mock })} />
        </Tabs.Panel>
        <Tabs.Panel value="schema">
          <CodeBlock code={JSON.stringify(schemaOf(tool), null, 2)} language="json" />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
