import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { texts } from '@/text/texts';

const useWords = texts({
  en: { copy: 'Copy', copied: 'Copied' },
  de: { copy: 'Kopieren', copied: 'Kopiert' },
});

interface Props {
  /** What is copied, or what makes it. */
  value: string | (() => string);
  /** With words it is a button; an icon otherwise. */
  label?: string;
  /** What is copied, for who cannot see it: 'Copy the token'. */
  name?: string;
}

export function CopyButton({ value, label, name }: Props) {
  const say = useWords();
  const clipboard = useClipboard({ timeout: 1500 });
  const copy = () => clipboard.copy(typeof value === 'string' ? value : value());
  const picture = clipboard.copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />;
  if (label !== undefined) {
    return (
      <Button variant="default" size="xs" leftSection={picture} onClick={copy}>
        {clipboard.copied ? say.copied : label}
      </Button>
    );
  }
  const said = clipboard.copied ? say.copied : (name ?? say.copy);
  return (
    <Tooltip label={said}>
      <ActionIcon variant="subtle" color="gray" aria-label={said} onClick={copy}>
        {picture}
      </ActionIcon>
    </Tooltip>
  );
}
