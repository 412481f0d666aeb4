import { ActionIcon, Loader, Menu, Text } from '@mantine/core';
import { IconArchive, IconArchiveOff, IconDots, IconDownload, IconPencil, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { Link, useNavigate } from 'react-router';
import { changeConversation, CONVERSATIONS_KEY, deleteConversation, exportConversation, type FoundConversation } from '@/api/conversations';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import { download } from '@/text/download';
import classes from './ChatPage.module.css';
import { forgetConversation, openedConversation } from './opened';
import { askTitle } from './askTitle';
import { useChatTexts } from './texts';

interface Props {
  row: FoundConversation;
  isCurrent: boolean;
  onGo: () => void;
}

/** A conversation in the list, with what can be done with it. */
export function ConversationRow({ row, isCurrent, onGo }: Props) {
  const say = useChatTexts().sidebar;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const title = row.title === '' ? say.untitled : row.title;
  const opened = openedConversation(row.id);
  const isAnswering = useSyncExternalStore(
    (listener) => opened?.subscribe(listener) ?? (() => undefined),
    () => opened?.snapshot().running != null,
  );
  const act = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      tellError(error);
    }
    void queries.invalidateQueries({ queryKey: CONVERSATIONS_KEY });
  };
  const change = (what: { title?: string; archived?: boolean }) =>
    act(async () => {
      const summary = await changeConversation(row.id, what);
      opened?.learn(summary);
    });
  const remove = () =>
    confirmFirst({
      title: say.removeTitle,
      text: say.removeText(title),
      confirm: say.remove,
      cancel: say.cancel,
      onConfirm: () =>
        act(async () => {
          await deleteConversation(row.id);
          forgetConversation(row.id);
          tellDone(say.deleted);
          if (isCurrent) await navigate('/chat');
        }),
    });
  return (
    <li className={classes.conversation} data-current={isCurrent || undefined}>
      <Link to={`/chat/${row.id}`} onClick={onGo} aria-current={isCurrent ? 'page' : undefined} title={title}>
        <Text size="sm" truncate component="div">
          {title}
        </Text>
        {row.snippet != null && (
          <Text size="xs" c="dimmed" lineClamp={2} component="div">
            {row.snippet}
          </Text>
        )}
      </Link>
      {isAnswering && <Loader size={14} aria-label={say.answering} />}
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={say.actions(title)}>
            <IconDots size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={() => askTitle({ say, title: row.title, onTitle: (typed) => void change({ title: typed }) })}>
            {say.rename}
          </Menu.Item>
          <Menu.Item leftSection={row.archived ? <IconArchiveOff size={16} aria-hidden /> : <IconArchive size={16} aria-hidden />} onClick={() => void change({ archived: !row.archived })}>
            {row.archived ? say.unarchive : say.archive}
          </Menu.Item>
          {(['markdown', 'json'] as const).map((format) => (
            <Menu.Item key={format} leftSection={<IconDownload size={16} aria-hidden />} onClick={() => void act(() => exported(row.id, format))}>
              {say[format]}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item color="red" leftSection={<IconTrash size={16} aria-hidden />} onClick={remove}>
            {say.remove}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </li>
  );
}

async function exported(id: string, format: 'json' | 'markdown'): Promise<void> {
  const { blob, name } = await exportConversation(id, format);
  download(name, blob);
}
