import { decimal, figure, seconds, UNKNOWN } from '@/text/format';
import type { Cell, Difference, MetricName, Plan, Result } from './api';

export const METRICS: readonly MetricName[] = ['tokens_per_second', 'stream_tokens_per_second', 'prompt_tokens_per_second', 'ttft', 'itl', 'seconds'];
export const STATISTICS = ['min', 'mean', 'median', 'max', 'stdev'] as const;
export type StatisticName = (typeof STATISTICS)[number];
export type Statistics = Record<StatisticName, number | null>;

const TIMES: ReadonlySet<MetricName> = new Set(['ttft', 'itl', 'seconds']);

/** A rate with three digits or so: 0.53, 12.3, 1,204. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return figure(value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

/** Seconds, finer than elsewhere: 4.21 ms, 340 ms, 1.25 s. */
export function time(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 0.00995) return `${decimal(value * 1000, 2)} ms`;
  if (value < 0.0995) return `${decimal(value * 1000, 1)} ms`;
  return value >= 0.9995 && value < 9.995 ? `${decimal(value, 2)} s` : seconds(value);
}

/** A figure with its unit, where it has one. */
export function shown(metric: MetricName, value: number | null | undefined): string {
  return TIMES.has(metric) ? time(value) : rate(value);
}

/** How the rounds are spread; the deviation is the sample's, and one round has none. */
export function statistics(values: readonly (number | null)[]): Statistics {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const count = known.length;
  if (count === 0) return { min: null, mean: null, median: null, max: null, stdev: null };
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const upper = known[Math.floor(count / 2)] ?? null;
  const lower = known[Math.ceil(count / 2) - 1] ?? null;
  return {
    min: known[0] ?? null,
    mean,
    median: upper === null || lower === null ? null : (upper + lower) / 2,
    max: known[count - 1] ?? null,
    stdev: count > 1 ? Math.sqrt(squares / (count - 1)) : null,
  };
}

/** How many rounds a cell has. */
export function roundsOf(result: Result): number {
  return Math.max(...METRICS.map((metric) => result.rounds[metric].length), 0);
}

/** All chats that a plan asks for, those that do not count included. */
export function requestsOf(plan: Plan): number {
  const atOnce = plan.concurrency.reduce((sum, streams) => sum + streams, 0);
  return plan.prompt_sizes.length * atOnce * (plan.warm_up + plan.repetitions);
}

/** Tokens that all of them read and write at most. */
export function tokensOf(plan: Plan): number {
  const sizes = plan.prompt_sizes.reduce((sum, size) => sum + size + plan.max_tokens, 0);
  return sizes * plan.concurrency.reduce((sum, streams) => sum + streams, 0) * (plan.warm_up + plan.repetitions);
}

export const cellName = (cell: Cell) => `${cell.prompt_tokens}×${cell.concurrency}`;

/** In the order of the plan, whatever came first. */
export function inOrder(results: readonly Result[]): Result[] {
  return [...results].sort((a, b) => a.cell.prompt_tokens - b.cell.prompt_tokens || a.cell.concurrency - b.cell.concurrency);
}

/** +12 %, −3.4 %. */
export function change(share: number): string {
  const percent = Math.abs(share * 100);
  return `${share < 0 ? '−' : '+'}${decimal(percent, percent < 9.95 ? 1 : 0)} %`;
}

export interface Row extends Cell {
  target: string;
  byMetric: Partial<Record<MetricName, Difference>>;
}

/** A row for each cell. */
export function rowsOf(differences: readonly Difference[]): Row[] {
  const rows = new Map<string, Row>();
  for (const one of differences) {
    const key = `${one.target} ${cellName(one)}`;
    const row = rows.get(key) ?? { target: one.target, prompt_tokens: one.prompt_tokens, concurrency: one.concurrency, byMetric: {} };
    row.byMetric[one.metric] = one;
    rows.set(key, row);
  }
  return [...rows.values()];
}

/** How many figures are of each verdict. */
export function tally(differences: readonly Difference[]): Record<Difference['verdict'], number> {
  const counts = { better: 0, worse: 0, noise: 0, unknown: 0 };
  for (const { verdict } of differences) counts[verdict] += 1;
  return counts;
}
