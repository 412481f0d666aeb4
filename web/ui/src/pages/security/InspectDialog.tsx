import { Alert, Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { CodeEditor } from '@/components/CodeEditor';
import { ErrorNotice } from '@/components/ErrorNotice';
import { type Inspection, inspectToken } from './api';
import { useSecurityTexts } from './texts';

/** What a token says, and whether it is good. */
export function InspectDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const say = useSecurityTexts().inspect;
  return (
    <Modal opened={isOpen} onClose={onClose} title={say.title} size="lg">
      <Inspector />
    </Modal>
  );
}

function Inspector() {
  const say = useSecurityTexts().inspect;
  const [token, setToken] = useState('');
  const [found, setFound] = useState<Inspection | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const run = async (event: FormEvent) => {
    event.preventDefault();
    setFailure(null);
    setFound(null);
    try {
      setFound(await inspectToken(token.trim()));
    } catch (error) {
      setFailure(error);
    }
  };
  return (
    <form onSubmit={(event) => void run(event)}>
      <Stack>
        <Text size="sm">{say.text}</Text>
        <Textarea label={say.token} value={token} onChange={(event) => setToken(event.currentTarget.value)} autosize minRows={3} maxRows={8} spellCheck={false} autoComplete="off" data-autofocus />
        <Group justify="flex-end">
          <Button type="submit" disabled={token.trim() === ''}>
            {say.run}
          </Button>
        </Group>
        {failure !== null && <ErrorNotice error={failure} />}
        {found !== null && (
          <Alert role="status" color={found.good ? 'teal' : 'red'} title={found.good ? say.good : say.bad}>
            {found.reason}
          </Alert>
        )}
        {found?.claims != null && <CodeEditor value={JSON.stringify(found.claims, null, 2)} language="json" label={say.claims} maxHeight="20rem" />}
      </Stack>
    </form>
  );
}
