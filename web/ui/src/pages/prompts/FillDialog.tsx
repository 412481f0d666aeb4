import { Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { IconMessage } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useNavigate } from 'react-router';
import { type Prompt, PROMPTS_KEY, fillPrompt } from '@/api/prompts';
import { prepareChat } from '@/chat/draft';
import { ErrorNotice } from '@/components/ErrorNotice';
import { tellDone } from '@/components/notices';
import { PromptPreview } from './PromptPreview';
import { usePromptsTexts } from './texts';

interface Props {
  prompt: Prompt | null;
  onClose: () => void;
}

/** Asks for the prompt's variables, and takes it to a new chat. */
export function FillDialog({ prompt, onClose }: Props) {
  const say = usePromptsTexts();
  return (
    <Modal opened={prompt !== null} onClose={onClose} size="lg" title={prompt === null ? '' : say.fill.title(prompt.name)}>
      {prompt !== null && <Form key={prompt.id} prompt={prompt} onClose={onClose} />}
    </Modal>
  );
}

function Form({ prompt, onClose }: { prompt: Prompt; onClose: () => void }) {
  const say = usePromptsTexts();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [values, setValues] = useState<Record<string, string>>({});
  const [isTried, setTried] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const missing = prompt.variables.filter((name) => (values[name] ?? '') === '');

  /** The text with all its values, which counts as a use; null where something is missing. */
  const filled = async (): Promise<string | null> => {
    setTried(true);
    if (missing.length > 0) return null;
    setBusy(true);
    setError(null);
    try {
      const { text } = await fillPrompt(prompt.id, Object.fromEntries(prompt.variables.map((name) => [name, values[name] ?? ''])));
      void queries.invalidateQueries({ queryKey: PROMPTS_KEY });
      return text;
    } catch (failure) {
      setError(failure);
      return null;
    } finally {
      setBusy(false);
    }
  };
  const go = async (event: FormEvent) => {
    event.preventDefault();
    const text = await filled();
    if (text === null) return;
    prepareChat(prompt.kind === 'system' ? { system: text } : { text });
    onClose();
    await navigate('/chat');
  };
  const copy = async () => {
    const text = await filled();
    if (text === null) return;
    await navigator.clipboard.writeText(text).then(() => tellDone(say.copied), setError);
  };

  return (
    <form onSubmit={go} noValidate>
      <Stack>
        <Text size="sm">{prompt.kind === 'system' ? say.fill.system : say.fill.user}</Text>
        {prompt.variables.map((name, place) => (
          <Textarea
            key={name}
            label={name}
            autosize
            minRows={1}
            maxRows={8}
            value={values[name] ?? ''}
            onChange={(event) => setValues({ ...values, [name]: event.currentTarget.value })}
            error={isTried && missing.includes(name) ? say.fill.missing : null}
            required
            {...(place === 0 ? { 'data-autofocus': true } : {})}
          />
        ))}
        <PromptPreview text={prompt.text} values={values} label={prompt.kind === 'system' ? say.fill.previewSystem : say.fill.preview} />
        {error !== null && <ErrorNotice error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => void copy()} disabled={isBusy}>
            {say.fill.copy}
          </Button>
          <Button type="submit" loading={isBusy} leftSection={<IconMessage size={16} aria-hidden />}>
            {say.fill.go}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
