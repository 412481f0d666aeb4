import { type QueryClient, useQuery } from '@tanstack/react-query';
import { call } from '@/api/http';

const ROOT = '/api/v1/benchmark';

export interface Plan {
  prompt_sizes: number[];
  concurrency: number[];
  max_tokens: number;
  shared_prefix: number;
  repetitions: number;
  warm_up: number;
}

export interface Cell {
  prompt_tokens: number;
  concurrency: number;
}

export type MetricName = 'tokens_per_second' | 'stream_tokens_per_second' | 'prompt_tokens_per_second' | 'ttft' | 'itl' | 'seconds';

export interface Spread {
  p50: number;
  p90: number;
  p99: number;
}

/** What one cell came to; times in seconds. */
export interface Result {
  target: string;
  cell: Cell;
  requests: number;
  failed: Record<string, number>;
  messages: Record<string, string>;
  prompt_tokens: number | null;
  tokens: number;
  cached_tokens: number | null;
  /** The median round's. */
  values: Partial<Record<MetricName, number>>;
  /** Each figure's, round by round. */
  rounds: Record<MetricName, (number | null)[]>;
  ttft: Spread | null;
  itl: Spread | null;
  seconds: Spread | null;
  is_exact: boolean;
  ratios: Partial<Record<MetricName, number>> | null;
}

export interface Step {
  phase: 'loading' | 'preparing' | 'warming up' | 'measuring';
  target: string;
  cell: Cell | null;
  done: number;
  total: number;
}

export type RunState = 'running' | 'complete' | 'incomplete' | 'cancelled' | 'failed';

export interface RunSummary {
  id: string;
  state: RunState;
  model: string;
  /** Another server's address. */
  url: string | null;
  targets: string[];
  preset: string | null;
  plan: Plan;
  cold: boolean;
  /** Unix seconds. */
  created: number;
  ended: number | null;
  progress: Step | null;
  error: { code: string; message: string } | null;
  failures: number;
  /** Of the fastest cell. */
  tokens_per_second: number | null;
}

export interface Measured {
  name: string;
  model: string;
  url: string | null;
  server: string | null;
  llama: string | null;
  digest: string | null;
  size_bytes: number | null;
  quantization: string | null;
  sizing: 'exact' | 'approximate';
  cold_seconds: number | null;
}

export interface Run extends RunSummary {
  seed: string | null;
  kronk: string | null;
  previous: string | null;
  host: { name: string; system: string; cpu: string; cores: number; memory_bytes: number; gpus: string[] } | null;
  measured: Measured[];
  results: Result[];
  notes: string[];
}

export interface Limits {
  values: number;
  concurrency: number;
  max_tokens: number;
  rounds: number;
  requests: number;
  compared: number;
}

export interface Presets {
  data: { name: string; plan: Plan; requests: number }[];
  limits: Limits;
}

export type Verdict = 'better' | 'worse' | 'noise' | 'unknown';

export interface Difference extends Cell {
  target: string;
  metric: MetricName;
  before: number;
  after: number;
  /** A share of `before`. */
  change: number;
  verdict: Verdict;
}

export interface Comparison {
  runs: RunSummary[];
  comparisons: { id: string; with: string; differences: Difference[]; other: string[] }[];
}

export interface Order {
  model: string;
  preset?: string;
  prompt_sizes?: number[];
  concurrency?: number[];
  max_tokens?: number;
  shared_prefix?: number;
  repetitions?: number;
  warm_up?: number;
  cold?: boolean;
  base_url?: string;
  api_key?: string;
}

const KEY = 'benchmark';
const EVERY = 1000;
const SELDOM = 5000;

const runPath = (id: string) => `${ROOT}/runs/${encodeURIComponent(id)}`;

export const begin = (order: Order) => call<Run>(`${ROOT}/runs`, { method: 'POST', body: order });

export const stop = (id: string) => call<Run>(`${runPath(id)}/cancel`, { method: 'POST' });

export const forget = (id: string) => call(runPath(id), { method: 'DELETE' });

export function usePresets() {
  return useQuery({ queryKey: [KEY, 'presets'], queryFn: ({ signal }) => call<Presets>(`${ROOT}/presets`, { signal }), staleTime: Infinity });
}

/** A run, again each second while it is measured; null asks for none. */
export function useRun(id: string | null) {
  return useQuery({
    queryKey: [KEY, 'run', id],
    queryFn: ({ signal }) => call<Run>(runPath(id ?? ''), { signal }),
    enabled: id !== null,
    refetchInterval: ({ state }) => (state.data?.state === 'running' ? EVERY : false),
  });
}

/** The latest runs, those of `kronk bench` included. */
export function useRuns(model: string | null) {
  return useQuery({
    queryKey: [KEY, 'runs', model],
    queryFn: ({ signal }) => call<{ data: RunSummary[]; has_more: boolean }>(`${ROOT}/runs`, { query: { model, limit: 200 }, signal }),
    refetchInterval: ({ state }) => (state.data?.data.some((run) => run.state === 'running') ? EVERY : SELDOM),
    placeholderData: (before) => before,
  });
}

export function useComparison(ids: readonly string[]) {
  return useQuery({
    queryKey: [KEY, 'compare', ...ids],
    queryFn: ({ signal }) => call<Comparison>(`${ROOT}/compare`, { query: { runs: ids.join(',') }, signal }),
    enabled: ids.length > 1,
  });
}

/** After a run was deleted. */
export const askForLists = (queries: QueryClient) => queries.invalidateQueries({ queryKey: [KEY, 'runs'] });

/** After something was begun or stopped. */
export const askAgain = (queries: QueryClient) => queries.invalidateQueries({ queryKey: [KEY] });
