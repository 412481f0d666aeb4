import { Button, Group, Modal, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { ConversationSummary } from '@/api/conversations';
import { useConversationsTexts } from './texts';

interface Props {
  row: ConversationSummary | null;
  onSave: (row: ConversationSummary, title: string) => void;
  onClose: () => void;
}

/** Gives a conversation another title. */
export function RenameDialog({ row, onSave, onClose }: Props) {
  const say = useConversationsTexts();
  return (
    <Modal opened={row !== null} onClose={onClose} title={say.rename}>
      {row !== null && <Form key={row.id} row={row} onSave={onSave} onClose={onClose} />}
    </Modal>
  );
}

function Form({ row, onSave, onClose }: Props & { row: ConversationSummary }) {
  const say = useConversationsTexts();
  const [title, setTitle] = useState(row.title);
  const save = (event: FormEvent) => {
    event.preventDefault();
    onSave(row, title.trim());
    onClose();
  };
  return (
    <form onSubmit={save}>
      <TextInput label={say.name} description={say.automatic} value={title} onChange={(event) => setTitle(event.currentTarget.value)} maxLength={200} data-autofocus />
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose}>
          {say.cancel}
        </Button>
        <Button type="submit">{say.save}</Button>
      </Group>
    </form>
  );
}
