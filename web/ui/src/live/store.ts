import { useSyncExternalStore } from 'react';
import { ApiError, isAbort } from '@/api/errors';
import { events } from '@/api/events';
import { after, type Live, NOTHING, parseSamples } from './history';
import type { LiveMessage } from './state';

const PATH = '/v1/kronk/events';
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;

const KEPT = 'kronk.samples';

let live: Live = { ...NOTHING, samples: parseSamples(sessionStorage.getItem(KEPT)) };
let stop: AbortController | null = null;
const listeners = new Set<() => void>();

function put(next: Live): void {
  live = next;
  for (const listener of listeners) listener();
}

/** Watches until stopped. The server ends each watching when it stops, and a lost connection too
 * is only a pause: it is tried again, later and later. */
async function watch(signal: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      for await (const { data } of events(PATH, { signal })) {
        pause = FIRST_PAUSE;
        put(after(live, JSON.parse(data) as LiveMessage));
      }
      if (live.connection === 'live') put({ ...live, connection: 'lost', problem: null });
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      put({ ...live, connection: connectionAfter(error), problem });
      // What one may not see does not become visible by asking again; another login begins anew.
      if (live.connection === 'forbidden') return;
    }
    await passed(pause, signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

function connectionAfter(error: unknown): Live['connection'] {
  const status = error instanceof ApiError ? error.status : 0;
  return status === 401 ? 'denied' : status === 403 ? 'forbidden' : 'lost';
}

function passed(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// A reload does not empty the charts.
addEventListener('pagehide', () => {
  sessionStorage.setItem(KEPT, JSON.stringify(live.samples));
});

/** Begins anew, after a login or with another token. */
export function restartLive(): void {
  stop?.abort();
  stop = null;
  put({ ...NOTHING });
  if (listeners.size > 0) start();
}

function start(): void {
  stop = new AbortController();
  void watch(stop.signal);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (stop === null) start();
  return () => listeners.delete(listener);
}

/** The server's live state, one connection for the whole page. */
export function useLive(): Live {
  return useSyncExternalStore(subscribe, () => live);
}
