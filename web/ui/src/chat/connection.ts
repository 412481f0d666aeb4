import { useSyncExternalStore } from 'react';
import { ApiError, errorOf, isAbort } from '@/api/errors';
import { send } from '@/api/http';
import type { Dialect } from './request';

/** A server that can be asked for chats: this Kronk, or another that speaks OpenAI's API. */
export interface Connection {
  id: string;
  name: string;
  dialect: Dialect;
  /** '' for the server that this page comes from. */
  base: string;
  /** Of the chat route, below `base`. */
  path: string;
  /** Sent as a bearer token; '' for none. It stays in this browser. */
  key: string;
}

export const CHAT_PATH = '/v1/chat/completions';

export const THIS_KRONK: Connection = { id: 'this', name: 'Kronk', dialect: 'kronk', base: '', path: CHAT_PATH, key: '' };

/** What to begin with for servers that people have. */
export const CONNECTION_PRESETS: readonly Omit<Connection, 'id' | 'key'>[] = [
  { name: 'Kronk', dialect: 'kronk', base: 'http://localhost:8080', path: CHAT_PATH },
  { name: 'llama-server', dialect: 'llama', base: 'http://localhost:8080', path: CHAT_PATH },
  { name: 'Ollama', dialect: 'openai', base: 'http://localhost:11434', path: CHAT_PATH },
  { name: 'LM Studio', dialect: 'openai', base: 'http://localhost:1234', path: CHAT_PATH },
  { name: 'vLLM', dialect: 'openai', base: 'http://localhost:8000', path: CHAT_PATH },
  { name: 'OpenAI', dialect: 'openai', base: 'https://api.openai.com', path: CHAT_PATH },
];

export function isThisKronk(connection: Connection): boolean {
  return connection.base === '';
}

/** What is wrong with a connection as it is typed, by field. */
export function faultsOf({ name, base, path }: Connection): Partial<Record<'name' | 'base' | 'path', 'missing' | 'notUrl' | 'hasQuery' | 'notPath'>> {
  const url = URL.parse(base);
  const isHttp = url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
  return {
    ...(name.trim() === '' && { name: 'missing' as const }),
    ...(!isHttp ? { base: 'notUrl' as const } : url.search !== '' || url.hash !== '' ? { base: 'hasQuery' as const } : {}),
    ...(!/^\/\S*$/.test(path) && { path: 'notPath' as const }),
  };
}

/** The address of the chat route; a base that already ends as the path begins is not doubled. */
export function chatUrl({ base, path }: Connection): string {
  const trimmed = base.replace(/\/+$/, '');
  const first = /^\/[^/]+/.exec(path)?.[0] ?? '';
  return first !== '' && trimmed.endsWith(first) ? trimmed + path.slice(first.length) : trimmed + path;
}

/** The address of the list of models, which stands beside the chat route. */
export function modelsUrl(connection: Connection): string {
  return chatUrl(connection).replace(/\/chat\/completions\/?$/, '/models');
}

/** Asks `connection`; throws ApiError with words that help. */
export async function ask(connection: Connection, body: unknown, signal?: AbortSignal): Promise<Response> {
  if (isThisKronk(connection)) {
    return send(connection.path, { method: 'POST', body, ...(signal && { signal }), headers: { Accept: 'text/event-stream' } });
  }
  return elsewhere(chatUrl(connection), connection, { method: 'POST', body: JSON.stringify(body), ...(signal && { signal }) });
}

/** The ids of the models that `connection` has. */
export async function modelsOf(connection: Connection, signal?: AbortSignal): Promise<string[]> {
  const url = modelsUrl(connection);
  const answer = isThisKronk(connection) ? await send(url, signal ? { signal } : {}) : await elsewhere(url, connection, signal ? { signal } : {});
  const found = (await answer.json()) as { data?: { id?: unknown }[] };
  return (found.data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
}

async function elsewhere(url: string, { key, base }: Connection, init: RequestInit): Promise<Response> {
  const headers = new Headers();
  if (init.body !== undefined) headers.set('Content-Type', 'application/json');
  if (key !== '') headers.set('Authorization', `Bearer ${key}`);
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, headers, credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(unreachable(base, location), 0, 'unreachable');
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  throw errorOf(answer.status, parsed(text), answer.headers);
}

/** Why a browser may have got nothing from `base`: it never says which of the reasons it was. */
export function unreachable(base: string, page: { protocol: string; origin: string }): string {
  if (page.protocol === 'https:' && base.startsWith('http:') && !/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$)/.test(base)) {
    return `This page came by https, and browsers do not let it ask ${base}, which is http. Give that server a certificate, or open this page by http.`;
  }
  return (
    `Nothing came from ${base}: it is not running, cannot be reached from this browser, or does not allow pages of ${page.origin} to ask it (CORS). ` +
    `Allow this origin there: in Kronk with --cors-allowed-origins ${page.origin}, in Ollama with OLLAMA_ORIGINS=${page.origin}; llama-server allows any.`
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 500);
  }
}

export interface Connections {
  /** The id of the one that is used. */
  current: string;
  /** Beside this Kronk. */
  others: Connection[];
}

const KEY = 'kronk.connections';
const NONE: Connections = { current: THIS_KRONK.id, others: [] };

/** What was stored, without what no version of ours has written. */
export function parseConnections(text: string | null): Connections {
  let found: unknown;
  try {
    found = JSON.parse(text ?? 'null');
  } catch {
    return NONE;
  }
  if (typeof found !== 'object' || found === null) return NONE;
  const { current, others } = found as Record<string, unknown>;
  const known = (Array.isArray(others) ? others : []).filter(isConnection);
  return { current: known.some(({ id }) => id === current) ? (current as string) : THIS_KRONK.id, others: known };
}

function isConnection(value: unknown): value is Connection {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  const isText = ['id', 'name', 'base', 'path', 'key'].every((name) => typeof fields[name] === 'string');
  return isText && fields.base !== '' && ['kronk', 'llama', 'openai'].includes(fields.dialect as string);
}

let connections = parseConnections(localStorage.getItem(KEY));
const listeners = new Set<() => void>();

export function setConnections(next: Connections): void {
  connections = next;
  localStorage.setItem(KEY, JSON.stringify(next));
  for (const listener of listeners) listener();
}

addEventListener('storage', (event) => {
  if (event.key !== KEY) return;
  connections = parseConnections(event.newValue);
  for (const listener of listeners) listener();
});

export function connectionOf({ current, others }: Connections): Connection {
  return others.find(({ id }) => id === current) ?? THIS_KRONK;
}

/** The servers that the user has entered, in this browser. */
export function useConnections(): Connections {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connections,
  );
}
