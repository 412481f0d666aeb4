import { Accordion, Alert, Button, Group, NumberInput, Select, SimpleGrid, Stack, Switch, Text, Textarea } from '@mantine/core';
import { IconPlayerPlay, IconPlayerStop, IconPlayerTrackNext, IconTrash } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import { curlOf } from '@/api/curl';
import { CHAT_PATH } from '@/chat/connection';
import { SamplingPanel } from '@/chat/SamplingPanel';
import { CopyButton } from '@/components/CopyButton';
import { ModelSelect } from '@/components/ModelSelect';
import { Section } from '@/components/Section';
import { useSession } from '@/session/SessionContext';
import type { Loop } from './loop';
import { choiceOf, faultOf, MOST_STEPS, offered, requestOf, type Setup } from './setup';
import { useToolsTexts } from './texts';

interface Props {
  setup: Setup;
  onChange: (setup: Setup) => void;
  state: Loop['state'];
  /** With true to the end, else one step. */
  onRun: (isWhole: boolean) => void;
  onStop: () => void;
  onReset: () => void;
}

export function QuestionForm({ setup, onChange, state, onRun, onStop, onReset }: Props) {
  const say = useToolsTexts();
  const session = useSession();
  const [isTried, setTried] = useState(false);
  const fault = faultOf(setup);
  const run = (isWhole: boolean) => {
    setTried(fault !== null);
    if (fault === null) onRun(isWhole);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (state !== 'asking') run(true);
  };
  const curl = () => {
    // In a shell one wants to read the answer, not its chunks.
    const body = Object.entries(requestOf(setup, [{ role: 'user', content: setup.prompt }])).filter(([name]) => !name.startsWith('stream'));
    return curlOf({ url: location.origin + CHAT_PATH, body: Object.fromEntries(body), needsToken: session.login });
  };
  const isWaiting = state === 'calling' || state === 'limit';
  return (
    <Section title={say.conversation} actions={<CopyButton label={say.copyCurl} value={curl} />}>
      <Stack component="form" gap="sm" onSubmit={submit}>
        <ModelSelect value={setup.settings.model} purpose="chat" onChange={(model) => onChange({ ...setup, settings: { ...setup.settings, model: model ?? '' } })} />
        <Textarea
          label={say.prompt}
          placeholder={say.promptHint}
          autosize
          minRows={2}
          maxRows={10}
          value={setup.prompt}
          onChange={(event) => onChange({ ...setup, prompt: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event);
          }}
        />
        <Settings setup={setup} onChange={onChange} />
        {offered(setup).length === 0 && <Text size="sm">{say.noTools}</Text>}
        {isTried && fault !== null && (
          <Alert role="alert" color="orange" p="xs">
            {say.runFaults[fault]}
          </Alert>
        )}
        <Group gap="xs">
          {state === 'asking' ? (
            <Button type="button" variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={onStop}>
              {say.stop}
            </Button>
          ) : (
            <>
              <Button type="submit" leftSection={<IconPlayerPlay size={16} aria-hidden />}>
                {isWaiting ? say.on : say.run}
              </Button>
              <Button type="button" variant="default" leftSection={<IconPlayerTrackNext size={16} aria-hidden />} onClick={() => run(false)}>
                {isWaiting ? say.send : say.step}
              </Button>
            </>
          )}
          {state !== 'idle' && (
            <Button type="button" variant="subtle" color="gray" c="inherit" leftSection={<IconTrash size={16} aria-hidden />} onClick={onReset}>
              {say.reset}
            </Button>
          )}
        </Group>
      </Stack>
    </Section>
  );
}

function Settings({ setup, onChange }: Pick<Props, 'setup' | 'onChange'>) {
  const say = useToolsTexts();
  const { settings } = setup;
  const named = offered(setup).filter(({ name }) => name !== '');
  const choice = choiceOf(setup);
  return (
    <>
      <Select
        label={say.choice}
        allowDeselect={false}
        value={typeof choice === 'string' ? choice : `function:${choice.function.name}`}
        data={[
          ...(['auto', 'required', 'none'] as const).map((value) => ({ value, label: say.choices[value] })),
          ...[...new Set(named.map(({ name }) => name))].map((name) => ({ value: `function:${name}`, label: say.choices.function(name) })),
        ]}
        onChange={(value) => onChange({ ...setup, choice: value ?? 'auto' })}
      />
      <Accordion variant="contained">
        <Accordion.Item value="settings">
          <Accordion.Control>
            <Text size="sm">{say.settings}</Text>
          </Accordion.Control>
          <Accordion.Panel>
            <Stack gap="sm">
              <Textarea label={say.system} autosize minRows={1} maxRows={6} value={settings.system} onChange={(event) => onChange({ ...setup, settings: { ...settings, system: event.currentTarget.value } })} />
              <SimpleGrid cols={{ base: 1, xs: 2 }}>
                <NumberInput label={say.limit} min={1} max={MOST_STEPS} clampBehavior="strict" allowDecimal={false} value={setup.limit} onChange={(value) => typeof value === 'number' && value >= 1 && onChange({ ...setup, limit: value })} />
                <NumberInput
                  label={say.most}
                  min={1}
                  allowDecimal={false}
                  value={settings.max_tokens ?? ''}
                  onChange={(value) => onChange({ ...setup, settings: { ...settings, max_tokens: typeof value === 'number' && value >= 1 ? value : null } })}
                />
              </SimpleGrid>
              <Switch label={say.parallel} checked={setup.isParallel} onChange={(event) => onChange({ ...setup, isParallel: event.currentTarget.checked })} />
              <SamplingPanel preset={settings.preset} sampling={settings.sampling} onChange={(next) => onChange({ ...setup, settings: { ...settings, ...next } })} />
            </Stack>
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </>
  );
}
