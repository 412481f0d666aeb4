import { Button, Group, TextInput } from '@mantine/core';
import { modals } from '@mantine/modals';
import { type FormEvent, useState } from 'react';

interface Question {
  say: { rename: string; newTitle: string; save: string; cancel: string };
  title: string;
  onTitle: (title: string) => void;
}

const LONGEST = 200;

/** Asks for another title. */
export function askTitle(question: Question): void {
  const id = modals.open({ title: question.say.rename, children: <TitleForm {...question} onEnd={() => modals.close(id)} /> });
}

function TitleForm({ say, title, onTitle, onEnd }: Question & { onEnd: () => void }) {
  const [typed, setTyped] = useState(title);
  const keep = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() === '') return;
    onTitle(typed.trim());
    onEnd();
  };
  return (
    <form onSubmit={keep}>
      <TextInput label={say.newTitle} value={typed} maxLength={LONGEST} onChange={(event) => setTyped(event.currentTarget.value)} data-autofocus />
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={onEnd}>
          {say.cancel}
        </Button>
        <Button type="submit" disabled={typed.trim() === ''}>
          {say.save}
        </Button>
      </Group>
    </form>
  );
}
