import { Anchor, Button, Group, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconPlus, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { useConversations } from '@/api/conversations';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { byAge } from './ages';
import classes from './ChatPage.module.css';
import { ConversationRow } from './ConversationRow';
import { useChatTexts } from './texts';

/** The conversations that are kept, to search and to go to. */
export function Sidebar({ current, onGo }: { current: string | null; onGo: () => void }) {
  const say = useChatTexts();
  const words = say.sidebar;
  const [opened] = useState(() => Date.now() / 1000);
  const [typed, setTyped] = useState('');
  const [query] = useDebouncedValue(typed.trim(), 250);
  const [isArchive, setArchive] = useState(false);
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useConversations(query, isArchive ? 'true' : 'false');
  const rows = data?.pages.flatMap((page) => page.data) ?? [];
  const none = query !== '' ? words.noneFound : isArchive ? words.noArchived : words.none;
  return (
    <>
      <Stack gap="xs" p="sm">
        <Button component={Link} to="/chat" state={{ fresh: true }} onClick={onGo} variant="light" leftSection={<IconPlus size={16} aria-hidden />} justify="flex-start">
          {say.newChat}
        </Button>
        <TextInput
          type="search"
          size="sm"
          aria-label={words.search}
          placeholder={words.search}
          leftSection={<IconSearch size={16} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Group justify="space-between" wrap="nowrap">
          <Switch size="xs" label={words.archived} checked={isArchive} onChange={(event) => setArchive(event.currentTarget.checked)} />
          <Anchor component={Link} to="/conversations" size="xs">
            {words.manage}
          </Anchor>
        </Group>
      </Stack>
      <nav className={classes.list} aria-label={say.conversations}>
        {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {data === undefined && error === null && <Loading rows={3} />}
        {data !== undefined && rows.length === 0 && (
          <Text size="sm" c="dimmed" px="xs">
            {none}
          </Text>
        )}
        {byAge(rows, opened).map(({ age, members }) => (
          <div key={age}>
            <Text size="xs" fw={600} c="dimmed" px="xs" pt="sm" pb={4}>
              {words.days[age]}
            </Text>
            <ul>
              {members.map((row) => (
                <ConversationRow key={row.id} row={row} isCurrent={row.id === current} onGo={onGo} />
              ))}
            </ul>
          </div>
        ))}
        {hasNextPage && (
          <Button size="xs" variant="subtle" fullWidth mt="xs" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {words.more}
          </Button>
        )}
      </nav>
    </>
  );
}
