import { Alert, Button, Group, NumberInput, Stack, Switch, Textarea } from '@mantine/core';
import { IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import { curlOf } from '@/api/curl';
import { CHAT_PATH } from '@/chat/connection';
import { CopyButton } from '@/components/CopyButton';
import { ModelSelect } from '@/components/ModelSelect';
import { Section } from '@/components/Section';
import { useSession } from '@/session/SessionContext';
import { faultOf, requestOf, type Setup } from './setup';
import { useStructuredTexts } from './texts';

interface Props {
  setup: Setup;
  onChange: (setup: Setup) => void;
  isRunning: boolean;
  onRun: () => void;
  onStop: () => void;
}

export function QuestionForm({ setup, onChange, isRunning, onRun, onStop }: Props) {
  const say = useStructuredTexts();
  const session = useSession();
  const [isTried, setTried] = useState(false);
  const { settings } = setup;
  const fault = faultOf(setup);
  const set = (change: Partial<Setup['settings']>) => onChange({ ...setup, settings: { ...settings, ...change } });
  const run = (event: FormEvent) => {
    event.preventDefault();
    setTried(fault !== null);
    if (fault === null && !isRunning) onRun();
  };
  const curl = () => {
    // In a shell one wants to read the answer, not its chunks.
    const body = Object.entries(requestOf(setup)).filter(([name]) => !name.startsWith('stream'));
    return curlOf({ url: location.origin + CHAT_PATH, body: Object.fromEntries(body), needsToken: session.login });
  };
  return (
    <Section title={say.question} actions={fault !== 'form' && <CopyButton label={say.curl} value={curl} />}>
      <Stack component="form" gap="sm" onSubmit={run}>
        <ModelSelect value={settings.model} purpose="chat" onChange={(model) => set({ model: model ?? '' })} />
        <Textarea
          label={say.prompt}
          autosize
          minRows={2}
          maxRows={10}
          value={setup.prompt}
          onChange={(event) => onChange({ ...setup, prompt: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run(event);
          }}
        />
        <NumberInput label={say.most} min={1} allowDecimal={false} value={settings.max_tokens ?? ''} onChange={(value) => set({ max_tokens: typeof value === 'number' && value >= 1 ? value : null })} />
        <Switch label={say.thinking} checked={settings.thinking !== 'off'} onChange={(event) => set({ thinking: event.currentTarget.checked ? 'model' : 'off' })} />
        {isTried && fault !== null && (
          <Alert role="alert" color="orange" p="xs">
            {say.runFaults[fault]}
          </Alert>
        )}
        <Group>
          {isRunning ? (
            // Another element than the one that submits: a click on this must not become one on that.
            <Button key="stop" type="button" variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={onStop}>
              {say.stop}
            </Button>
          ) : (
            <Button key="run" type="submit" leftSection={<IconPlayerPlay size={16} aria-hidden />}>
              {say.run}
            </Button>
          )}
        </Group>
      </Stack>
    </Section>
  );
}
