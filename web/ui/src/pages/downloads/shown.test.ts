import { describe, expect, it } from 'vitest';
import type { Job, JobState } from '@/live/state';
import { countsOf, shownOf } from './shown';

const JOBS = (['done', 'running', 'failed', 'cancelled', 'queued'] as JobState[]).map((state) => ({ id: state, state }) as Job);

describe('the list of jobs', () => {
  it.each([
    ['all', ['running', 'queued', 'done', 'failed', 'cancelled']],
    ['active', ['running', 'queued']],
    ['failed', ['failed']],
    ['over', ['done', 'cancelled']],
  ] as const)('of %s has %j', (shown, ids) => {
    expect(shownOf(JOBS, shown).map(({ id }) => id)).toEqual(ids);
  });

  it('counts them', () => {
    expect(countsOf(JOBS)).toEqual({ all: 5, active: 2, failed: 1, over: 2 });
  });
});
