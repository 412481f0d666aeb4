import { ActionIcon, Anchor, Badge, Checkbox, Group, Mark, Menu, Paper, Stack, Text, Tooltip } from '@mantine/core';
import { IconArchive, IconArchiveOff, IconDots, IconFileTypography, IconJson, IconMessage, IconPencil, IconSparkles, IconTrash } from '@tabler/icons-react';
import { Link } from 'react-router';
import type { FoundConversation } from '@/api/conversations';
import { useLibraryTexts } from '@/library/texts';
import { ago, moment } from '@/text/format';
import { marked } from './marked';
import { useConversationsTexts } from './texts';
import type { Actions } from './useActions';

interface Props {
  row: FoundConversation;
  query: string;
  now: number;
  isSelected: boolean;
  actions: Actions;
  onSelect: (isSelected: boolean) => void;
  onRename: () => void;
}

/** One conversation of the list, and what can be done with it. */
export function ConversationRow({ row, query, now, isSelected, actions, onSelect, onRename }: Props) {
  const say = useConversationsTexts();
  const both = useLibraryTexts();
  const title = row.title || say.untitled;
  return (
    <Paper px="sm" py="xs" component="li">
      <Group wrap="nowrap" gap="sm" align="flex-start">
        <Checkbox mt={4} checked={isSelected} onChange={(event) => onSelect(event.currentTarget.checked)} aria-label={say.select(title)} />
        <Stack gap={2} style={{ flex: 1, minWidth: 0 }}>
          <Group gap={6} wrap="nowrap">
            <Anchor component={Link} to={`/chat/${row.id}`} fw={600} className="breakable" lineClamp={2}>
              <Hits text={title} query={query} />
            </Anchor>
            {row.titled_by === 'model' && (
              <Tooltip label={say.byModel}>
                <IconSparkles size={15} role="img" aria-label={say.byModel} style={{ flex: 'none' }} />
              </Tooltip>
            )}
            {row.archived && (
              <Badge variant="default" size="sm" tt="none" fw={500} style={{ flex: 'none' }}>
                {say.archived}
              </Badge>
            )}
          </Group>
          {row.snippet != null && (
            <Text size="sm" className="breakable" lineClamp={2}>
              <Hits text={row.snippet} query={query} />
            </Text>
          )}
          <Text size="xs" c="dimmed" className="breakable">
            {row.model !== null && <>{row.model} · </>}
            {both.messages(row.messages)} · <time title={moment(row.updated)}>{say.changed(both.ago(ago(row.updated, now)))}</time>
          </Text>
        </Stack>
        <Menu position="bottom-end" shadow="md" withinPortal>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={say.actions(title)}>
              <IconDots size={18} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item component={Link} to={`/chat/${row.id}`} leftSection={<IconMessage size={16} aria-hidden />}>
              {say.open}
            </Menu.Item>
            <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={onRename}>
              {say.rename}
            </Menu.Item>
            <Menu.Item
              leftSection={row.archived ? <IconArchiveOff size={16} aria-hidden /> : <IconArchive size={16} aria-hidden />}
              onClick={() => void actions.archive([row], !row.archived)}
            >
              {row.archived ? say.restore : say.archive}
            </Menu.Item>
            <Menu.Item leftSection={<IconJson size={16} aria-hidden />} onClick={() => void actions.export([row], 'json')}>
              {say.exportJson}
            </Menu.Item>
            <Menu.Item leftSection={<IconFileTypography size={16} aria-hidden />} onClick={() => void actions.export([row], 'markdown')}>
              {say.exportMarkdown}
            </Menu.Item>
            <Menu.Divider />
            <Menu.Item c="var(--mantine-color-error)" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => actions.remove([row])}>
              {say.delete}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
    </Paper>
  );
}

function Hits({ text, query }: { text: string; query: string }) {
  return marked(text, query).map((piece, place) =>
    piece.isHit ? (
      <Mark key={place} c="black">
        {piece.text}
      </Mark>
    ) : (
      <span key={place}>{piece.text}</span>
    ),
  );
}
