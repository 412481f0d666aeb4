import { Accordion, ActionIcon, Button, Group, NumberInput, SegmentedControl, Select, SimpleGrid, Stack, Text, Textarea, Tooltip } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { type FormEvent, useId, useState } from 'react';
import { SamplingPanel } from '@/chat/SamplingPanel';
import type { ChatSettings } from '@/chat/settings';
import { ModelSelect } from '@/components/ModelSelect';
import { RunOrStop } from '@/components/RunOrStop';
import { Section } from '@/components/Section';
import { faultOf, LEAST_MODELS, MOST_MODELS, type Setup } from './comparison';
import { useCompareTexts } from './texts';

interface Props {
  setup: Setup;
  onChange: (setup: Setup) => void;
  isRunning: boolean;
  onRun: () => void;
  onStop: () => void;
}

export function SetupForm({ setup, onChange, isRunning, onRun, onStop }: Props) {
  const say = useCompareTexts();
  const [isTried, setTried] = useState(false);
  const fault = faultOf(setup);
  const run = (event: FormEvent) => {
    event.preventDefault();
    setTried(fault !== null);
    if (fault === null && !isRunning) onRun();
  };
  return (
    <Section title={say.setup}>
      <Stack component="form" onSubmit={run} gap="md">
        <Models models={setup.models} onChange={(models) => onChange({ ...setup, models })} />
        <Textarea
          label={say.prompt}
          placeholder={say.promptHint}
          autosize
          minRows={2}
          maxRows={12}
          value={setup.prompt}
          onChange={(event) => onChange({ ...setup, prompt: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run(event);
          }}
        />
        <Order order={setup.order} onChange={(order) => onChange({ ...setup, order })} />
        <Settings settings={setup.settings} onChange={(settings) => onChange({ ...setup, settings })} />
        <RunOrStop isRunning={isRunning} run={say.run} stop={say.stop} onStop={onStop} fault={isTried && fault !== null ? say.faults[fault] : null} />
      </Stack>
    </Section>
  );
}

function Models({ models, onChange }: { models: readonly string[]; onChange: (models: string[]) => void }) {
  const say = useCompareTexts();
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2, lg: Math.max(3, models.length) }} spacing="sm">
        {models.map((model, index) => (
          <Group key={index} gap={4} align="flex-end" wrap="nowrap">
            <ModelSelect
              label={say.model(index + 1)}
              value={model}
              purpose="chat"
              style={{ flex: 1, minWidth: 0 }}
              onChange={(name) => onChange(models.map((old, at) => (at === index ? (name ?? '') : old)))}
            />
            {models.length > LEAST_MODELS && (
              <Tooltip label={say.remove(say.model(index + 1))}>
                <ActionIcon
                  size={36}
                  variant="subtle"
                  color="gray"
                  aria-label={say.remove(say.model(index + 1))}
                  onClick={() => onChange(models.filter((_model, at) => at !== index))}
                >
                  <IconX size={16} aria-hidden />
                </ActionIcon>
              </Tooltip>
            )}
          </Group>
        ))}
      </SimpleGrid>
      {models.length < MOST_MODELS && (
        <Group>
          <Button type="button" size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => onChange([...models, ''])}>
            {say.add}
          </Button>
        </Group>
      )}
    </>
  );
}

function Order({ order, onChange }: { order: Setup['order']; onChange: (order: Setup['order']) => void }) {
  const say = useCompareTexts();
  const id = useId();
  return (
    <Stack gap={4}>
      <Text size="sm" fw={500} id={id}>
        {say.order}
      </Text>
      <Group gap="sm">
        <SegmentedControl
          aria-labelledby={id}
          value={order}
          onChange={(value) => onChange(value)}
          data={(['together', 'in_turn'] as const).map((value) => ({ value, label: say.orders[value] }))}
        />
        <Text size="sm" c="dimmed">
          {say.orderHint[order]}
        </Text>
      </Group>
    </Stack>
  );
}

function Settings({ settings, onChange }: { settings: ChatSettings; onChange: (settings: ChatSettings) => void }) {
  const say = useCompareTexts();
  return (
    <Accordion variant="contained">
      <Accordion.Item value="settings">
        <Accordion.Control>
          <Text size="sm">{say.sampling}</Text>
        </Accordion.Control>
        <Accordion.Panel>
          <Stack gap="sm">
            <Textarea
              label={say.system}
              placeholder={say.systemHint}
              autosize
              minRows={1}
              maxRows={8}
              value={settings.system}
              onChange={(event) => onChange({ ...settings, system: event.currentTarget.value })}
            />
            <SimpleGrid cols={{ base: 1, xs: 2 }}>
              <NumberInput
                label={say.most}
                min={1}
                max={1_000_000}
                allowDecimal={false}
                value={settings.max_tokens ?? ''}
                onChange={(value) => onChange({ ...settings, max_tokens: typeof value === 'number' && value >= 1 ? value : null })}
              />
              <Select
                label={say.thinking}
                allowDeselect={false}
                value={settings.thinking}
                data={(['model', 'on', 'off'] as const).map((value) => ({ value, label: say.thinkings[value] }))}
                onChange={(value) => onChange({ ...settings, thinking: value ?? 'model' })}
              />
            </SimpleGrid>
            <SamplingPanel preset={settings.preset} sampling={settings.sampling} onChange={(next) => onChange({ ...settings, ...next })} />
          </Stack>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
}
