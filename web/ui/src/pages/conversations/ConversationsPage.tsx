import { Button, Center, Group, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { IconArchive, IconMessageCircle, IconPlus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { type Archived, type ConversationSummary, CONVERSATIONS_KEY, conversationStats, type FoundConversation, importConversations, useConversations } from '@/api/conversations';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { ImportButton } from '@/library/ImportButton';
import { importFiles, itemsOf } from '@/library/importing';
import { useLibraryTexts } from '@/library/texts';
import { useSearchText, withParameter } from '@/library/useSearchText';
import { bytes } from '@/text/format';
import { ConversationRow } from './ConversationRow';
import { RenameDialog } from './RenameDialog';
import { SelectionBar } from './SelectionBar';
import { useConversationsTexts } from './texts';
import { useActions } from './useActions';

const STATES: readonly Archived[] = ['false', 'true', 'all'];

/** All that was chatted: found again, put away, taken along, deleted. */
export default function ConversationsPage() {
  const say = useConversationsTexts();
  const both = useLibraryTexts();
  const [parameters, setParameters] = useSearchParams();
  const archived = STATES.find((one) => one === parameters.get('show')) ?? 'false';
  const [query, typed, setTyped] = useSearchText('q');
  const stats = useQuery({ queryKey: [...CONVERSATIONS_KEY, 'stats'], queryFn: ({ signal }) => conversationStats(signal) });
  const list = useConversations(query, archived);
  const actions = useActions();
  const rows = list.data?.pages.flatMap(({ data }) => data);
  const take = (files: File[]) =>
    importFiles(
      files,
      (text) => itemsOf(text, 'conversations', (value) => 'document' in value),
      (conversations) => importConversations({ conversations }),
      both.noExport,
    );
  return (
    <>
      <PageHeader
        title={say.title}
        description={stats.data && say.about(stats.data.conversations, bytes(stats.data.bytes), bytes(stats.data.most_bytes))}
        actions={
          <>
            <ImportButton label={say.import} take={take} onDone={() => void actions.refresh()} />
            <Button component={Link} to="/chat" leftSection={<IconPlus size={16} aria-hidden />}>
              {say.newChat}
            </Button>
          </>
        }
      />
      <Group mb="sm" gap="sm">
        <TextInput
          aria-label={say.search}
          placeholder={say.searchHint}
          leftSection={<IconSearch size={16} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          type="search"
          style={{ flex: '1 1 16rem' }}
        />
        <SegmentedControl
          aria-label={say.which}
          value={archived}
          onChange={(value) => setParameters((before) => withParameter(before, 'show', value === 'false' ? '' : value), { replace: true })}
          data={STATES.map((value) => ({ value, label: say.states[value as 'false'] }))}
        />
      </Group>
      {list.error !== null && <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />}
      {rows === undefined && list.error === null && <Loading rows={6} />}
      {rows?.length === 0 && <Nothing query={query} archived={archived} onClear={() => setTyped('')} />}
      {rows !== undefined && rows.length > 0 && <Rows rows={rows} query={query} />}
      {list.hasNextPage && (
        <Center mt="md">
          <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {say.more}
          </Button>
        </Center>
      )}
    </>
  );
}

function Rows({ rows, query }: { rows: FoundConversation[]; query: string }) {
  const [selected, setSelected] = useState<readonly string[]>([]);
  const [renamed, setRenamed] = useState<ConversationSummary | null>(null);
  const actions = useActions((gone) => setSelected((before) => before.filter((id) => !gone.includes(id))));
  const [now] = useState(() => Date.now() / 1000);
  return (
    <>
      <SelectionBar shown={rows} selected={rows.filter(({ id }) => selected.includes(id))} actions={actions} onSelect={setSelected} />
      <Stack gap="xs" component="ul" m={0} p={0} style={{ listStyle: 'none' }}>
        {rows.map((row) => (
          <ConversationRow
            key={row.id}
            row={row}
            query={query}
            now={Math.max(now, row.updated)}
            isSelected={selected.includes(row.id)}
            actions={actions}
            onSelect={(isSelected) => setSelected((before) => (isSelected ? [...before, row.id] : before.filter((id) => id !== row.id)))}
            onRename={() => setRenamed(row)}
          />
        ))}
      </Stack>
      <RenameDialog row={renamed} onSave={(row, title) => void actions.rename(row, title)} onClose={() => setRenamed(null)} />
    </>
  );
}

function Nothing({ query, archived, onClear }: { query: string; archived: Archived; onClear: () => void }) {
  const say = useConversationsTexts();
  if (query !== '') {
    return <EmptyState icon={IconSearch} title={say.noneFound.title} text={say.noneFound.text} action={<Button variant="default" onClick={onClear}>{say.noneFound.action}</Button>} />;
  }
  if (archived === 'true') return <EmptyState icon={IconArchive} title={say.noneArchived.title} text={say.noneArchived.text} />;
  return (
    <EmptyState
      icon={IconMessageCircle}
      title={say.empty.title}
      text={say.empty.text}
      action={
        <Button component={Link} to="/chat">
          {say.empty.action}
        </Button>
      }
    />
  );
}
