import { ActionIcon, FileButton, Group, Text, Textarea, Tooltip } from '@mantine/core';
import { IconArrowUp, IconPaperclip, IconPlayerStopFilled } from '@tabler/icons-react';
import { type ClipboardEvent, type KeyboardEvent, type ReactNode, type RefObject } from 'react';
import { Attached } from './Attached';
import classes from './ChatPage.module.css';
import { ACCEPTED } from './files';
import { useChatTexts } from './texts';
import type { Drafting } from './useDraft';

interface Props {
  drafting: Drafting;
  isRunning: boolean;
  /** Why nothing can be sent; null where it can. */
  obstacle: string | null;
  /** What should be known before one sends. */
  warning: string | null;
  field: RefObject<HTMLTextAreaElement | null>;
  onSend: () => void;
  onStop: () => void;
  children?: ReactNode;
}

/** Where messages are written. */
export function Composer({ drafting, isRunning, obstacle, warning, field, onSend, onStop, children }: Props) {
  const say = useChatTexts().composer;
  const { text, setText, attachments, attach, detach, refusals } = drafting;
  const isEmpty = text.trim() === '' && attachments.length === 0;
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && isRunning) onStop();
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    if (!isEmpty && !isRunning && obstacle === null) onSend();
  };
  const paste = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    attach(files);
  };
  const told = [...refusals.map(({ reason, file }) => say.refused[reason](file)), ...(obstacle === null ? [] : [obstacle]), ...(warning === null ? [] : [warning])];
  return (
    <div className={classes.composer}>
      <Attached attachments={attachments} onRemove={detach} />
      <Textarea
        ref={field}
        className={classes.input}
        aria-label={say.label}
        placeholder={say.placeholder}
        autosize
        minRows={1}
        maxRows={12}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={press}
        onPaste={paste}
      />
      {told.length > 0 && (
        <Text size="sm" px="md" pt={4} role="status" className="breakable">
          {told.join(' ')}
        </Text>
      )}
      <div className={classes.bar}>
        <FileButton multiple accept={ACCEPTED} onChange={attach} inputProps={{ 'aria-label': say.attach, tabIndex: -1 }}>
          {(props) => (
            <Tooltip label={say.attach}>
              <ActionIcon {...props} size="lg" radius="xl" variant="subtle" color="gray" aria-label={say.attach}>
                <IconPaperclip size={18} aria-hidden />
              </ActionIcon>
            </Tooltip>
          )}
        </FileButton>
        <Group gap="sm" flex={1} miw={0} wrap="nowrap">
          {children}
        </Group>
        {isRunning ? (
          <Tooltip label={`${say.stop} (Esc)`}>
            <ActionIcon size="lg" radius="xl" variant="filled" color="dark" aria-label={say.stop} onClick={onStop}>
              <IconPlayerStopFilled size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        ) : (
          <Tooltip label={say.hint}>
            <ActionIcon size="lg" radius="xl" variant="filled" aria-label={say.send} disabled={isEmpty || obstacle !== null} onClick={onSend}>
              <IconArrowUp size={18} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
    </div>
  );
}
