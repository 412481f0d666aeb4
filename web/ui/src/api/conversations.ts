import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import type { Document } from '@/chat/thread';
import { call, send } from './http';

/** A conversation without its messages. Times are Unix seconds. */
export interface ConversationSummary {
  id: string;
  object: 'kronk.conversation';
  /** '' where nothing was said yet. */
  title: string;
  titled_by: 'user' | 'model' | 'first_message';
  model: string | null;
  created: number;
  updated: number;
  archived: boolean;
  /** On the path that is looked at. */
  messages: number;
  /** One more with each change; a title by the model is none. */
  revision: number;
}

export interface FoundConversation extends ConversationSummary {
  /** What stands around the words that were looked for; null where they are in the title alone. */
  snippet?: string | null;
}

export interface Conversation extends ConversationSummary {
  document: Document;
}

export interface ConversationChange {
  /** Null is the first message again. */
  title?: string | null;
  archived?: boolean;
  model?: string | null;
  document?: Document<unknown>;
  /** What the change was made from; another one there is a 409. */
  revision?: number;
}

export type Archived = 'true' | 'false' | 'all';

export interface ConversationQuery {
  /** Words, or "phrases in quotes", of titles and messages. */
  query?: string;
  archived?: Archived;
  limit?: number;
  after?: string;
}

export interface ConversationStats {
  conversations: number;
  archived: number;
  messages: number;
  bytes: number;
  most_conversations: number;
  most_bytes: number;
  models: Record<string, number>;
}

/** One of a file that was not taken in, and why. */
export interface Refused {
  index: number;
  title: string | null;
  message: string;
  param: string | null;
}

export interface ImportedConversations {
  imported: ConversationSummary[];
  refused: Refused[];
}

interface Page {
  data: FoundConversation[];
  has_more: boolean;
}

const PATH = '/api/v1/conversations';
/** All that is known of conversations here begins with it: whoever changes one makes it old. */
export const CONVERSATIONS_KEY = ['conversations'] as const;

const one = (id: string) => `${PATH}/${encodeURIComponent(id)}`;
const within = (signal?: AbortSignal) => (signal === undefined ? {} : { signal });

export const listConversations = (query: ConversationQuery, signal?: AbortSignal) =>
  call<Page>(PATH, { query: { ...query }, ...within(signal) });

export const getConversation = (id: string, signal?: AbortSignal) => call<Conversation>(one(id), within(signal));

export const createConversation = (body: { title?: string | null; model?: string | null; document: Document<unknown> }) =>
  call<ConversationSummary>(PATH, { method: 'POST', body });

export const changeConversation = (id: string, body: ConversationChange, keepalive = false) =>
  call<ConversationSummary>(one(id), { method: 'PUT', body, keepalive });

export const deleteConversation = (id: string) => call<unknown>(one(id), { method: 'DELETE' });

/** The model writes a title where it is loaded and idle; otherwise the one there is comes back. */
export const makeTitle = (id: string) => call<ConversationSummary>(`${one(id)}/title`, { method: 'POST' });

export const conversationStats = (signal?: AbortSignal) => call<ConversationStats>(`${PATH}/stats`, within(signal));

/** The file of one conversation, and the name the server gives it. */
export async function exportConversation(id: string, format: 'json' | 'markdown'): Promise<{ blob: Blob; name: string }> {
  const answer = await send(`${one(id)}/export`, { query: { format } });
  const name = /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1];
  return { blob: await answer.blob(), name: name ?? `${id}.${format === 'json' ? 'json' : 'md'}` };
}

/** Keeps what is in an export as new conversations. */
export const importConversations = (body: unknown) => call<ImportedConversations>(`${PATH}/import`, { method: 'POST', body });

/** The conversations that are like that, page by page, the last one changed first. */
export function useConversations(query: string, archived: Archived, limit = 50) {
  return useInfiniteQuery({
    queryKey: [...CONVERSATIONS_KEY, 'list', query, archived, limit],
    queryFn: ({ pageParam, signal }) => listConversations({ query, archived, limit, after: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: ({ data, has_more }) => (has_more ? data.at(-1)?.id : undefined),
    placeholderData: keepPreviousData,
  });
}
