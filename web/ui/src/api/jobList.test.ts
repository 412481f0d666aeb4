import { describe, expect, it } from 'vitest';
import type { Job } from '@/live/state';
import { fractionOf, merged, pullOf, retryIn, subjectOf } from './jobList';

function job(change: Partial<Job>): Job {
  return {
    id: 'job-1', kind: 'pull', title: 'pull m', params: { wanted: 'M' }, state: 'running', phase: null, done_bytes: 0, total_bytes: null,
    created: 1, started: null, ended: null, rate: null, eta: null, attempts: 1, error: null, retry_at: null, result: null, ...change,
  };
}

describe('jobs', () => {
  it('are the newest first, those that run as the live state has them', () => {
    const list = [job({ id: 'a', created: 1 }), job({ id: 'b', created: 2, state: 'done' })];
    const live = [job({ id: 'a', created: 1, done_bytes: 5 }), job({ id: 'b', created: 2 }), job({ id: 'c', created: 3 })];
    const found = merged(list, live);
    expect(found.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
    expect(found.map(({ state }) => state)).toEqual(['running', 'done', 'running']);
    expect(found[2]?.done_bytes).toBe(5);
  });

  it.each([
    [{ done_bytes: 5, total_bytes: 10 }, 0.5],
    [{ done_bytes: 12, total_bytes: 10 }, 1],
    [{ done_bytes: 5, total_bytes: null }, null],
    [{ done_bytes: 0, total_bytes: 0 }, null],
    [{ state: 'done' as const, total_bytes: null }, 1],
  ])('%j is done to %s', (change, fraction) => {
    expect(fractionOf(job(change))).toBe(fraction);
  });

  it.each([
    [{ retry_at: 110 }, 10],
    [{ retry_at: 90 }, 0],
    [{ retry_at: null }, null],
    [{ retry_at: 110, state: 'failed' as const }, null],
  ])('%j is tried again in %s s', (change, seconds) => {
    expect(retryIn(job(change), 100)).toBe(seconds);
  });

  it('know what they are about', () => {
    expect(subjectOf(job({}))).toBe('M');
    expect(subjectOf(job({ params: { model: 'x', accept: true } }))).toBe('x');
    expect(subjectOf(job({ params: {} }))).toBeNull();
  });

  it('find the last pull of a word', () => {
    const jobs = [job({ id: 'newest', state: 'failed' }), job({ id: 'before' }), job({ id: 'check', kind: 'verify', params: { model: 'n' } })];
    expect(pullOf(jobs, 'm')?.id).toBe('newest');
    expect(pullOf(jobs, 'n')).toBeUndefined();
  });
});
