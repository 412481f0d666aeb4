import { NumberInput, Stack, Switch, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { curlOf } from '@/api/curl';
import { CHAT_PATH } from '@/chat/connection';
import { CopyButton } from '@/components/CopyButton';
import { ModelSelect } from '@/components/ModelSelect';
import { RunOrStop } from '@/components/RunOrStop';
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
        <RunOrStop isRunning={isRunning} run={say.run} stop={say.stop} onStop={onStop} fault={isTried && fault !== null ? say.runFaults[fault] : null} />
      </Stack>
    </Section>
  );
}
