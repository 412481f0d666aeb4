import { Drawer } from '@mantine/core';
import { useDisclosure, useMediaQuery } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation, useParams } from 'react-router';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import classes from './ChatPage.module.css';
import { ConversationView } from './ConversationView';
import { freshConversation, openConversation } from './opened';
import type { OpenConversation } from './openConversation';
import { Sidebar } from './Sidebar';
import { useChatTexts } from './texts';

/** `/chat` is a new conversation, `/chat/ID` one that is kept. */
export default function ChatPage() {
  const say = useChatTexts();
  const { key } = useLocation();
  const id = useParams()['*'] ?? '';
  const [isListOpen, list] = useDisclosure();
  const hasRoom = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false });
  const current = id === '' ? null : id;
  return (
    <div className={classes.page}>
      {hasRoom ? (
        <aside className={classes.aside} aria-label={say.conversations}>
          <Sidebar current={current} onGo={list.close} />
        </aside>
      ) : (
        <Drawer opened={isListOpen} onClose={list.close} title={say.conversations} size="20rem" padding="xs" closeButtonProps={{ 'aria-label': say.close }}>
          <Sidebar current={current} onGo={list.close} />
        </Drawer>
      )}
      <div className={classes.main}>{current === null ? <Fresh key={key} onList={list.open} /> : <Kept key={current} id={current} onList={list.open} />}</div>
    </div>
  );
}

function Fresh({ onList }: { onList: () => void }) {
  const [conversation] = useState(freshConversation);
  return <ConversationView conversation={conversation} onList={onList} />;
}

function Kept({ id, onList }: { id: string; onList: () => void }) {
  const say = useChatTexts();
  const { data, error, refetch } = useQuery<OpenConversation>({
    queryKey: ['opened conversation', id],
    queryFn: ({ signal }) => openConversation(id, signal),
    // It is an object that changes by itself, and there is to be one of each.
    structuralSharing: false,
    gcTime: 0,
    staleTime: Infinity,
    refetchOnMount: 'always',
    retry: false,
  });
  if (data !== undefined) return <ConversationView conversation={data} onList={onList} />;
  return (
    <div className={classes.scroll}>
      <PageHeader title={say.title} />
      {error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />}
    </div>
  );
}
