import { Alert, Button, Group, Stack } from '@mantine/core';
import { IconArrowLeft, IconMessage, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { getPrompt, type Prompt, PROMPTS_KEY } from '@/api/prompts';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { FillDialog } from './FillDialog';
import { PromptForm } from './PromptForm';
import { usePromptsTexts } from './texts';
import { useEditing } from './useEditing';
import { usePromptActions } from './usePromptActions';
import { VersionsSection } from './VersionsSection';

/** One prompt, to be written: '/prompts/new' or '/prompts/ID'. */
export function EditorPage({ id }: { id: string }) {
  const say = usePromptsTexts();
  const isNew = id === 'new';
  const { data, error, refetch } = useQuery({
    queryKey: [...PROMPTS_KEY, 'one', id],
    queryFn: ({ signal }) => getPrompt(id, signal),
    enabled: !isNew,
  });
  if (isNew || data !== undefined) return <Editor key={id} id={id} prompt={data ?? null} />;
  return (
    <>
      <PageHeader title={say.title} actions={<Back />} />
      {error === null ? <Loading rows={6} /> : <ErrorNotice error={error} onRetry={() => void refetch()} />}
    </>
  );
}

function Back() {
  const say = usePromptsTexts();
  return (
    <Button component={Link} to="/prompts" variant="default" leftSection={<IconArrowLeft size={16} aria-hidden />}>
      {say.editor.back}
    </Button>
  );
}

function Editor({ id, prompt }: { id: string; prompt: Prompt | null }) {
  const say = usePromptsTexts();
  const editing = useEditing(id, prompt);
  const { fields, failure, isChanged } = editing;
  return (
    <>
      <PageHeader title={prompt === null ? say.editor.new : prompt.name} actions={prompt === null ? <Back /> : <Actions prompt={prompt} isChanged={isChanged} onGone={editing.discard} />} />
      <Stack>
        <form onSubmit={(event) => void editing.save(event)} noValidate>
          <Stack>
            <PromptForm fields={fields} isTried={editing.isTried} problem={failure?.kind === 'field' ? failure.error : null} onChange={editing.change} />
            {failure?.kind === 'conflict' && (
              <Alert color="orange" role="alert">
                {say.editor.conflict}
              </Alert>
            )}
            {failure?.kind === 'other' && <ErrorNotice error={failure.error} />}
            {isChanged && prompt !== null && <Alert role="status">{say.editor.unsaved}</Alert>}
            <Group>
              <Button type="submit" loading={editing.isBusy} disabled={!isChanged && prompt !== null}>
                {say.editor.save}
              </Button>
              {isChanged && (
                <Button variant="default" onClick={editing.discard}>
                  {say.editor.discard}
                </Button>
              )}
            </Group>
          </Stack>
        </form>
        {prompt !== null && <VersionsSection prompt={prompt} onRestored={editing.discard} />}
      </Stack>
    </>
  );
}

function Actions({ prompt, isChanged, onGone }: { prompt: Prompt; isChanged: boolean; onGone: () => void }) {
  const say = usePromptsTexts();
  const navigate = useNavigate();
  const actions = usePromptActions();
  const [isUsed, setUsed] = useState(false);
  const gone = () => {
    onGone();
    void navigate('/prompts');
  };
  return (
    <>
      <Back />
      <Button variant="default" c="var(--mantine-color-error)" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => actions.remove(prompt, gone)}>
        {say.delete}
      </Button>
      <Button variant="default" leftSection={<IconMessage size={16} aria-hidden />} onClick={() => setUsed(true)} disabled={isChanged}>
        {say.use}
      </Button>
      <FillDialog prompt={isUsed ? prompt : null} onClose={() => setUsed(false)} />
    </>
  );
}
