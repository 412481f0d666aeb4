import { describe, expect, it } from 'vitest';
import type { Difference } from './api';
import { change, rate, requestsOf, rowsOf, statistics, tally, time, tokensOf } from './figures';

describe('figures', () => {
  it.each([
    [null, '–'],
    [0.534, '0.53'],
    [12.34, '12.3'],
    [1204.4, '1,204'],
  ])('writes the rate %s as %s', (value, text) => {
    expect(rate(value)).toBe(text);
  });

  it.each([
    [undefined, '–'],
    [0.00421, '4.21 ms'],
    [0.0598, '59.8 ms'],
    [0.34, '340 ms'],
    [1.25, '1.25 s'],
    [75, '1 min 15 s'],
  ])('writes the time %s as %s', (value, text) => {
    expect(time(value)).toBe(text);
  });

  it.each([
    [[], { min: null, mean: null, median: null, max: null, stdev: null }],
    [[3], { min: 3, mean: 3, median: 3, max: 3, stdev: null }],
    [[4, null, 2], { min: 2, mean: 3, median: 3, max: 4, stdev: Math.SQRT2 }],
    [[1, 9, 2], { min: 1, mean: 4, median: 2, max: 9, stdev: Math.sqrt(19) }],
  ])('tells how %j are spread', (values, expected) => {
    expect(statistics(values)).toEqual(expected);
  });

  it('counts what a plan asks for', () => {
    const plan = { prompt_sizes: [100, 200], concurrency: [1, 4], max_tokens: 10, shared_prefix: 0, repetitions: 3, warm_up: 1 };
    expect(requestsOf(plan)).toBe(40);
    expect(tokensOf(plan)).toBe((110 + 210) * 5 * 4);
  });

  it.each([
    [0.1234, '+12 %'],
    [-0.034, '−3.4 %'],
    [0, '+0.0 %'],
  ])('writes the change %s as %s', (share, text) => {
    expect(change(share)).toBe(text);
  });

  it('has a row for each cell, and counts verdicts', () => {
    const one = { target: 'kronk', prompt_tokens: 64, concurrency: 1, before: 1, after: 2, change: 1 } as const;
    const found: Difference[] = [
      { ...one, metric: 'ttft', verdict: 'worse' },
      { ...one, metric: 'itl', verdict: 'noise' },
      { ...one, concurrency: 4, metric: 'ttft', verdict: 'better' },
    ];
    expect(rowsOf(found).map((row) => [row.concurrency, Object.keys(row.byMetric)])).toEqual([
      [1, ['ttft', 'itl']],
      [4, ['ttft']],
    ]);
    expect(tally(found)).toEqual({ better: 1, worse: 1, noise: 1, unknown: 0 });
  });
});
