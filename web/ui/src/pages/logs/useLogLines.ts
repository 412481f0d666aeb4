import { useEffect, useState } from 'react';
import { isAbort } from '@/api/errors';
import { events } from '@/api/events';
import { call, type Query } from '@/api/http';
import { appended, type LogLine, MOST_LINES, type NumberedLine } from './lines';

const PATH = '/v1/kronk/logs';
/** Old lines that are shown at first. */
const BEGINNING = 400;
/** What comes at once is drawn at once. */
const GATHERED = 150;
const PAUSE = 2000;

export interface LogLines {
  lines: readonly NumberedLine[];
  isLoading: boolean;
  error: unknown;
}

const NONE: LogLines = { lines: [], isLoading: true, error: null };

/** The lines that fit `filters` (which must be the same object as long as it says the same), and each
 * new one while `follows`. */
export function useLogLines(filters: Query, follows: boolean, attempt: number): LogLines {
  const [found, setFound] = useState<LogLines>(NONE);
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    const begin = follows ? follow(filters, signal, setFound) : fetchOnce(filters, signal, setFound);
    void begin;
    return () => {
      stop.abort();
      setFound(NONE);
    };
  }, [filters, follows, attempt]);
  return found;
}

type Set = (next: LogLines | ((before: LogLines) => LogLines)) => void;

async function fetchOnce(filters: Query, signal: AbortSignal, set: Set): Promise<void> {
  try {
    const { data } = await call<{ data: LogLine[] }>(PATH, { query: { ...filters, lines: MOST_LINES }, signal });
    set({ lines: appended([], data), isLoading: false, error: null });
  } catch (error) {
    if (!isAbort(error)) set({ ...NONE, isLoading: false, error });
  }
}

async function follow(filters: Query, signal: AbortSignal, set: Set): Promise<void> {
  let waiting: LogLine[] = [];
  const draw = () => {
    const news = waiting;
    waiting = [];
    set((before) => ({ lines: appended(before.lines, news), isLoading: false, error: null }));
  };
  const timer = setInterval(() => waiting.length > 0 && draw(), GATHERED);
  signal.addEventListener('abort', () => clearInterval(timer));
  let lines = BEGINNING;
  while (!signal.aborted) {
    try {
      // What there is at first may be nothing, which no event tells.
      const first = setTimeout(draw, 3 * GATHERED);
      signal.addEventListener('abort', () => clearTimeout(first));
      for await (const { data } of events(PATH, { query: { ...filters, lines, follow: true }, signal })) {
        if (data !== '[DONE]') waiting.push(JSON.parse(data) as LogLine);
      }
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      set((before) => ({ ...before, isLoading: false, error }));
    }
    // The server has ended: what it says from now on is new.
    lines = 0;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
