import { Button, Group, Textarea } from '@mantine/core';
import { type KeyboardEvent, useState } from 'react';
import { Media } from '@/components/message/Media';
import { contentOf, mediaOf, type Node, textOf } from '@/chat/thread';
import type { Asking, OpenConversation } from './openConversation';
import { useChatTexts } from './texts';

interface Props {
  conversation: OpenConversation;
  asking: Asking;
  node: Node;
  onDone: () => void;
}

/** A message to be written otherwise: a user's is sent again, an answer is kept as it is written. */
export function EditMessage({ conversation, asking, node, onDone }: Props) {
  const say = useChatTexts().message;
  const media = mediaOf(node.content);
  const [text, setText] = useState(() => textOf(node.content));
  const isUser = node.role === 'user';
  const isEmpty = text.trim() === '' && media.length === 0;
  const finish = () => {
    if (isEmpty) return;
    const content = contentOf(text, media);
    if (isUser) conversation.resend(node.id, content, asking);
    else conversation.rewrite(node.id, content);
    onDone();
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onDone();
    else if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing && isUser) {
      event.preventDefault();
      finish();
    }
  };
  return (
    <div style={{ width: '100%' }}>
      <Media parts={media} />
      <Textarea autosize minRows={2} maxRows={16} aria-label={say.editLabel} value={text} onChange={(event) => setText(event.currentTarget.value)} onKeyDown={press} data-autofocus ref={focusAtEnd} />
      <Group gap="xs" mt="xs" justify={isUser ? 'flex-end' : 'flex-start'}>
        <Button size="xs" variant="default" onClick={onDone}>
          {say.cancel}
        </Button>
        <Button size="xs" disabled={isEmpty} onClick={finish}>
          {isUser ? say.send : say.save}
        </Button>
      </Group>
    </div>
  );
}

function focusAtEnd(field: HTMLTextAreaElement | null): void {
  field?.focus();
  field?.setSelectionRange(field.value.length, field.value.length);
}
