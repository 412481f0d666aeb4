import type { Job } from '@/live/state';

/** Whether nothing more will come of it. */
export function isOver(job: Job): boolean {
  return job.state === 'done' || job.state === 'failed' || job.state === 'cancelled';
}

/** The list with what is known more newly of those that run, the newest first. */
export function merged(list: readonly Job[], live: readonly Job[]): Job[] {
  const byId = new Map(list.map((job) => [job.id, job]));
  // An old live state never takes back that a job is over.
  for (const job of live) {
    const known = byId.get(job.id);
    if (known === undefined || !isOver(known)) byId.set(job.id, job);
  }
  return [...byId.values()].sort((one, other) => other.created - one.created || other.id.localeCompare(one.id));
}

/** How far it is, 0 to 1; null where that cannot be told. */
export function fractionOf(job: Job): number | null {
  if (job.state === 'done') return 1;
  if (job.total_bytes === null || job.total_bytes <= 0) return null;
  return Math.min(1, job.done_bytes / job.total_bytes);
}

/** Seconds until it is tried again; null where it does not wait for that. */
export function retryIn(job: Job, now: number): number | null {
  return job.retry_at === null || isOver(job) ? null : Math.max(0, Math.round(job.retry_at - now));
}

/** What a job is about: the word that was pulled, or the model's name; null where nothing is named. */
export function subjectOf(job: Job): string | null {
  for (const key of ['wanted', 'model', 'file', 'processor']) {
    const value = job.params[key];
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}

/** The pull of that word, of several the first in the list, which is the newest. */
export function pullOf(jobs: readonly Job[], wanted: string): Job | undefined {
  const word = wanted.toLowerCase();
  return jobs.find((job) => job.kind === 'pull' && subjectOf(job)?.toLowerCase() === word);
}
