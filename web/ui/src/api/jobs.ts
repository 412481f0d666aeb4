import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Job } from '@/live/state';
import { useLive } from '@/live/store';
import { events } from './events';
import { call } from './http';
import { isOver, merged } from './jobList';

export type { Job, JobState } from '@/live/state';
export { isOver } from './jobList';

/** Kinds of jobs with their parameters, as the server takes them. */
export interface JobKinds {
  pull: { wanted: string };
  'pull-from': { model: string; host: string; token?: string };
  push: { model: string; target: string; token?: string; public?: boolean };
  import: { file: string; as?: string; how?: string };
  index: { verify?: boolean };
  verify: { model?: string; accept?: boolean };
  libs: { processor?: string; version?: string; arch?: string; os?: string; replace?: boolean; allow_upgrade?: boolean };
  'catalog-update': Record<string, never>;
  'templates-update': Record<string, never>;
}

const PATH = '/v1/kronk/jobs';
export const JOBS_KEY = ['jobs'] as const;

/** Begins a job, or joins one that does the same; `joined` says which. */
export function beginJob<K extends keyof JobKinds>(kind: K, params: JobKinds[K]): Promise<Job & { joined: boolean }> {
  return call(PATH, { method: 'POST', body: { kind, params } });
}

/** The same again, for one that is over: what it has fetched it goes on from. */
export const repeatJob = (job: Job) => call<Job>(PATH, { method: 'POST', body: { kind: job.kind, params: job.params } });

export const cancelJob = (id: string) => call<Job>(`${PATH}/${id}/cancel`, { method: 'POST' });

/** Forgets one that is over; what it has done stays. */
export const forgetJob = (id: string) => call<unknown>(`${PATH}/${id}`, { method: 'DELETE' });

/** All jobs, the newest first, those that run as they are now. */
export function useJobs() {
  const queries = useQueryClient();
  const live = useLive().state?.jobs;
  const query = useQuery({
    queryKey: [...JOBS_KEY, 'all'],
    queryFn: ({ signal }) => call<{ data: Job[] }>(PATH, { signal }).then(({ data }) => data),
    refetchInterval: 30_000,
  });
  // The live state has those that run: what came or went makes the list old.
  const running = live?.map((job) => job.id).sort().join(' ') ?? '';
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: JOBS_KEY });
  }, [queries, running]);
  return { ...query, data: query.data === undefined ? undefined : merged(query.data, live ?? []) };
}

/** One job, followed to its end; null for an id of '' or null. */
export function useJob(id: string | null) {
  const queries = useQueryClient();
  const key = [...JOBS_KEY, 'one', id];
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => call<Job>(`${PATH}/${id}`, { signal }),
    enabled: id !== null && id !== '',
  });
  const isRunning = query.data !== undefined && !isOver(query.data);
  useEffect(() => {
    if (!isRunning || id === null) return;
    const stop = new AbortController();
    void follow(id, stop.signal, (job) => queries.setQueryData([...JOBS_KEY, 'one', id], job));
    return () => stop.abort();
  }, [queries, id, isRunning]);
  return query;
}

/** Tells each state of the job until it is over. A stream that was cut is asked for again. */
export async function follow(id: string, signal: AbortSignal, tell: (job: Job) => void): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { data } of events(`${PATH}/${id}/events`, { signal })) {
        if (data === '[DONE]') return;
        const job = JSON.parse(data) as Job;
        tell(job);
        if (isOver(job)) return;
      }
    } catch {
      if (signal.aborted) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}
