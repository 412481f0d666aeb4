import { Button, Center, Loader } from '@mantine/core';
import { IconServerOff } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useCallback, useEffect } from 'react';
import { useAppTexts } from '@/app/texts';
import { onUnauthenticated } from '@/api/http';
import { EmptyState } from '@/components/EmptyState';
import { restartLive } from '@/live/store';
import { preferences } from '@/preferences/preferences';
import { Login } from './Login';
import { fetchSession, mayUse } from './session';
import { SessionContext } from './SessionContext';

const KEY = ['session'];

/** Asks the server again who looks at the page, and begins everything anew that depends on it. */
export function useReloadSession(): () => void {
  const queries = useQueryClient();
  return useCallback(() => {
    restartLive();
    void queries.resetQueries();
  }, [queries]);
}

/** The page, once the server has said who looks at it; the login before, where there is one. */
export function SessionGate({ children }: { children: ReactNode }) {
  const say = useAppTexts();
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => fetchSession(signal),
    staleTime: Infinity,
    refetchInterval: ({ state }) => (state.status === 'error' ? 3000 : false),
  });
  // A login that has ended, a token that was revoked: the answer to anything may tell of it.
  useEffect(() => onUnauthenticated(() => void queries.invalidateQueries({ queryKey: KEY })), [queries]);
  if (data !== undefined) {
    // The server says who somebody is, and nothing of a token that is not good.
    const problem = preferences().token === '' ? null : new Error(say.badToken);
    return <SessionContext value={data}>{mayUse(data, 'user') ? children : <Login problem={problem} />}</SessionContext>;
  }
  if (error === null) {
    return (
      <Center mih="100dvh">
        <Loader aria-label={say.checking} />
      </Center>
    );
  }
  // A token that is not good is refused even here.
  if ('status' in error && error.status === 401) return <Login problem={error} />;
  return (
    <Center mih="100dvh" p="md">
      <EmptyState as="h1" icon={IconServerOff} title={say.unreachable} text={error.message} action={<Button onClick={() => void refetch()}>{say.retry}</Button>} />
    </Center>
  );
}
