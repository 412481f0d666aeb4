import { ActionIcon, Badge, Group } from '@mantine/core';
import { IconMicrophone, IconX } from '@tabler/icons-react';
import classes from './ChatPage.module.css';
import type { Attachment } from './files';
import { useChatTexts } from './texts';

/** What goes with the message that is being written. */
export function Attached({ attachments, onRemove }: { attachments: readonly Attachment[]; onRemove: (id: string) => void }) {
  const say = useChatTexts().composer;
  if (attachments.length === 0) return null;
  return (
    <div className={classes.attached}>
      {attachments.map(({ id, name, part }) => (
        <div key={id} className={classes.thumb}>
          {part.type === 'image_url' ? (
            <img src={part.image_url.url} alt={name} />
          ) : (
            <Group h="4rem" px="sm">
              <Badge variant="default" size="lg" tt="none" leftSection={<IconMicrophone size={14} aria-hidden />}>
                {name}
              </Badge>
            </Group>
          )}
          <ActionIcon size="xs" radius="xl" variant="filled" color="dark" aria-label={say.remove(name)} onClick={() => onRemove(id)}>
            <IconX size={12} aria-hidden />
          </ActionIcon>
        </div>
      ))}
    </div>
  );
}
