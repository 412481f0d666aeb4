import { Accordion, ActionIcon, Badge, Button, Group, Menu, Stack, Switch, Text, Tooltip } from '@mantine/core';
import { IconDots, IconDownload, IconPlus, IconTool, IconTrash, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { confirmFirst } from '@/components/confirm';
import { CopyButton } from '@/components/CopyButton';
import { EmptyState } from '@/components/EmptyState';
import { Section } from '@/components/Section';
import { download } from '@/text/download';
import { EXAMPLES } from './examples';
import { faultsOf } from './faults';
import { ImportDialog } from './ImportDialog';
import { exported, newTool, schemaOf, type ToolDraft } from './schema';
import { namesBeside } from './setup';
import { ToolEditor } from './ToolEditor';
import { useToolsTexts } from './texts';

interface Props {
  tools: readonly ToolDraft[];
  onChange: (tools: ToolDraft[]) => void;
}

export function FunctionList({ tools, onChange }: Props) {
  const say = useToolsTexts();
  const [open, setOpen] = useState<string | null>(null);
  const [isImporting, setImporting] = useState(false);
  const add = (tool: ToolDraft) => {
    onChange([...tools, tool]);
    setOpen(tool.key);
  };
  const change = (tool: ToolDraft) => onChange(tools.map((old) => (old.key === tool.key ? tool : old)));
  return (
    <Section
      title={say.functions}
      actions={
        <Group gap="xs">
          <AddMenu onAdd={add} />
          <MoreMenu tools={tools} onImport={() => setImporting(true)} />
        </Group>
      }
    >
      {tools.length === 0 ? (
        <EmptyState as="h3" icon={IconTool} title={say.none.title} text={say.none.text} />
      ) : (
        <Accordion variant="contained" value={open} onChange={setOpen} chevronPosition="left">
          {tools.map((tool) => (
            <Item key={tool.key} tool={tool} others={namesBeside(tools, tool)} isOpen={open === tool.key} onChange={change} onRemove={() => onChange(tools.filter((old) => old.key !== tool.key))} />
          ))}
        </Accordion>
      )}
      <ImportDialog isOpen={isImporting} onClose={() => setImporting(false)} onImport={(found) => onChange([...tools, ...found])} />
    </Section>
  );
}

function AddMenu({ onAdd }: { onAdd: (tool: ToolDraft) => void }) {
  const say = useToolsTexts();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" leftSection={<IconPlus size={14} aria-hidden />}>
          {say.add}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onAdd(newTool())}>{say.empty}</Menu.Item>
        <Menu.Label>{say.exampleGroup}</Menu.Label>
        {(Object.keys(EXAMPLES) as (keyof typeof EXAMPLES)[]).map((name) => (
          <Menu.Item key={name} onClick={() => onAdd(EXAMPLES[name]())}>
            {say.examples[name]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function MoreMenu({ tools, onImport }: { tools: readonly ToolDraft[]; onImport: () => void }) {
  const say = useToolsTexts();
  return (
    <>
      <CopyButton name={say.copySchema} value={() => JSON.stringify(tools.map(schemaOf), null, 2)} />
      <Menu position="bottom-end">
        <Menu.Target>
          <Tooltip label={say.more}>
            <ActionIcon variant="subtle" color="gray" aria-label={say.more}>
              <IconDots size={18} aria-hidden />
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconUpload size={16} aria-hidden />} onClick={onImport}>
            {say.import}
          </Menu.Item>
          <Menu.Item leftSection={<IconDownload size={16} aria-hidden />} disabled={tools.length === 0} onClick={() => download('functions.json', exported(tools), 'application/json')}>
            {say.export}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

interface ItemProps {
  tool: ToolDraft;
  others: readonly string[];
  isOpen: boolean;
  onChange: (tool: ToolDraft) => void;
  onRemove: () => void;
}

function Item({ tool, others, isOpen, onChange, onRemove }: ItemProps) {
  const say = useToolsTexts();
  const faults = faultsOf(tool, others);
  const name = tool.name === '' ? say.unnamed : tool.name;
  const remove = () => confirmFirst({ title: say.remove(name), text: say.removeText(name), confirm: say.delete, cancel: say.cancel, onConfirm: onRemove });
  return (
    <Accordion.Item value={tool.key}>
      <Group gap={4} wrap="nowrap" pr="xs">
        <Accordion.Control style={{ minWidth: 0 }}>
          <Stack gap={0}>
            <Text size="sm" fw={600} ff="monospace" className="breakable">
              {name}
            </Text>
            <Group gap={6}>
              <Text size="xs" c="dimmed">
                {say.count(tool.parameters.length)}
              </Text>
              {Object.keys(faults).length > 0 && (
                <Badge size="sm" variant="default" tt="none">
                  {say.faulty}
                </Badge>
              )}
            </Group>
          </Stack>
        </Accordion.Control>
        <Tooltip label={say.isOn(name)}>
          <Switch size="sm" aria-label={say.isOn(name)} checked={tool.isOn} onChange={(event) => onChange({ ...tool, isOn: event.currentTarget.checked })} />
        </Tooltip>
        <Tooltip label={say.remove(name)}>
          <ActionIcon variant="subtle" color="gray" aria-label={say.remove(name)} onClick={remove}>
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Group>
      <Accordion.Panel>{isOpen && <ToolEditor tool={tool} faults={faults} onChange={onChange} />}</Accordion.Panel>
    </Accordion.Item>
  );
}
