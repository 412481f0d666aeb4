import { preferences } from '@/preferences/preferences';
import { ApiError, errorOf, isAbort } from './errors';

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON; a FormData or Blob as it is. */
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** Goes on when the page is closed; browsers take 64 KiB of it. */
  keepalive?: boolean;
}

/** The path with its query; what is null, undefined or '' is left out. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** A model's id as part of a path; slashes in it stay. */
export function modelPath(id: string): string {
  return id.split('/').map(encodeURIComponent).join('/');
}

const sessionEnded = new Set<() => void>();

/** Calls `listener` whenever the server says that it does not know who asks. */
export function onUnauthenticated(listener: () => void): () => void {
  sessionEnded.add(listener);
  return () => sessionEnded.delete(listener);
}

/** The answer to a request to our own server, whose status is a good one; throws ApiError. */
export async function send(path: string, call: Call = {}): Promise<Response> {
  const { method = 'GET', body, query, signal } = call;
  const headers = new Headers(call.headers);
  const isRaw = body instanceof FormData || body instanceof Blob;
  if (body !== undefined && !isRaw) headers.set('Content-Type', 'application/json');
  const token = preferences().token;
  if (token !== '') headers.set('Authorization', `Bearer ${token}`);
  let answer: Response;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers,
      credentials: 'same-origin',
      body: body === undefined ? null : isRaw ? body : JSON.stringify(body),
      signal: signal ?? null,
      keepalive: call.keepalive === true,
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('The server cannot be reached. Is it running?', 0, 'unreachable');
  }
  if (answer.ok) return answer;
  const failure = errorOf(answer.status, await bodyOf(answer), answer.headers);
  if (answer.status === 401) for (const listener of sessionEnded) listener();
  throw failure;
}

/** The JSON of an answer; null where there is none. */
export async function call<T>(path: string, options: Call = {}): Promise<T> {
  const answer = await send(path, options);
  const text = await answer.text();
  return (text === '' ? null : JSON.parse(text)) as T;
}

async function bodyOf(answer: Response): Promise<unknown> {
  const text = await answer.text().catch(() => '');
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 500);
  }
}
