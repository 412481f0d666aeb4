import { isOver } from '@/api/jobList';
import type { Job } from '@/live/state';

export const SHOWN = ['all', 'active', 'failed', 'over'] as const;
export type Shown = (typeof SHOWN)[number];

function belongs(job: Job, shown: Shown): boolean {
  switch (shown) {
    case 'all':
      return true;
    case 'active':
      return !isOver(job);
    case 'failed':
      return job.state === 'failed';
    case 'over':
      return isOver(job) && job.state !== 'failed';
  }
}

/** Those to show, what runs before what is over; each part the newest first, as they came. */
export function shownOf(jobs: readonly Job[], shown: Shown): Job[] {
  const found = jobs.filter((job) => belongs(job, shown));
  return [...found.filter((job) => !isOver(job)), ...found.filter(isOver)];
}

export function countsOf(jobs: readonly Job[]): Record<Shown, number> {
  const count = (shown: Shown) => jobs.filter((job) => belongs(job, shown)).length;
  return { all: count('all'), active: count('active'), failed: count('failed'), over: count('over') };
}
