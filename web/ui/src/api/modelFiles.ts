import { queryOptions } from '@tanstack/react-query';
import { call, modelPath } from './http';
import { MODELS_KEY } from './models';

export type Integrity = 'verified' | 'changed' | 'damaged' | 'unknown';

/** A row of `GET /v1/kronk/models`: a file on the disk, whole or not. */
export interface ModelFile {
  id: string;
  path: string;
  size_bytes: number;
  /** Unix seconds. */
  modified: number;
  validated: boolean;
  /** Why it cannot be loaded. */
  reason: string | null;
  aliases: string[];
  integrity: Integrity;
  note: string | null;
}

/** `GET /v1/kronk/models/{model}`. */
export interface ModelDetails {
  id: string;
  path: string;
  size_bytes: number;
  modified: number;
  aliases: string[];
  file: Record<string, unknown> | null;
  capabilities: string[] | null;
  integrity: IntegrityFacts | null;
  configuration: Record<string, unknown>;
  origins: Record<string, string>;
  uses: Record<string, unknown> | null;
  problem: string | null;
  memory: { estimated: Bytes; measured: Bytes | null } | null;
  state: string | null;
  /** What the last load made of the settings, while it is loaded. */
  fitted: Record<string, unknown> | null;
}

export interface IntegrityFacts {
  state: Integrity;
  note: string | null;
  sha256: string | null;
  /** ISO 8601. */
  verified: string | null;
  source: string | null;
  licence: string | null;
  revision: string | null;
}

interface Bytes {
  bytes: number;
  devices: Record<string, number>;
}

/** How one process of a model ended. Times are Unix seconds. */
export interface Departure {
  model: string;
  generation: number;
  pid: number | null;
  started: number;
  ready: number | null;
  ended: number;
  outcome: 'unloaded' | 'crashed' | 'killed' | 'failed';
  cause: string;
  exit_code: number | null;
  signal: string | null;
  out_of_memory: boolean;
  requests: number;
  last_lines: string[];
  stack: string[];
}

export interface Spread {
  count: number;
  avg: number | null;
  min: number | null;
  max: number | null;
}

export interface ModelStatistics {
  model: string;
  since: number | null;
  first_used: number | null;
  last_used: number | null;
  requests: number;
  done: number;
  cancelled: number;
  errors: Record<string, number>;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
  ttft_seconds: Spread;
  prefill_tokens_per_second: Spread;
  decode_tokens_per_second: Spread;
  contexts: { up_to: number | null; tokens: number; tokens_per_second: number | null }[];
  load_seconds: Spread;
  evictions: Record<string, number>;
  crashes: Record<string, number>;
  peak_rss_bytes: number | null;
}

export interface ShownTemplate {
  origin: string;
  path: string | null;
  name: string | null;
  reason: string | null;
  text: string;
  fault: { kind: string; line: number; column: number | null; words: string; message: string } | null;
}

const base = (model: string) => `/v1/kronk/models/${modelPath(model)}`;

export const filesQuery = () =>
  queryOptions({
    queryKey: [...MODELS_KEY, 'files'],
    queryFn: ({ signal }) => call<{ data: ModelFile[] }>('/v1/kronk/models', { signal }).then(({ data }) => data),
    refetchInterval: 20_000,
  });

export const detailsQuery = (model: string) =>
  queryOptions({ queryKey: [...MODELS_KEY, 'one', model], queryFn: ({ signal }) => call<ModelDetails>(base(model), { signal }) });

export const templateQuery = (model: string) =>
  queryOptions({ queryKey: [...MODELS_KEY, 'template', model], queryFn: ({ signal }) => call<ShownTemplate>(`${base(model)}/template`, { signal }) });

/** Null for one that nobody has asked anything yet. */
export const statisticsQuery = (model: string) =>
  queryOptions({
    queryKey: ['statistics', model],
    queryFn: async ({ signal }) => {
      const { data } = await call<{ data: ModelStatistics[] }>('/v1/kronk/statistics', { signal });
      return data.find((one) => one.model === model) ?? null;
    },
    refetchInterval: 10_000,
  });

/** Of one model; of all for null. The latest first. */
export const historyQuery = (model: string | null) =>
  queryOptions({
    queryKey: ['history', model],
    queryFn: ({ signal }) =>
      call<{ data: Departure[] }>(model === null ? '/v1/kronk/history' : `${base(model)}/history`, { query: { limit: 100 }, signal }).then(({ data }) => data),
    refetchInterval: 15_000,
  });

export interface Managed {
  state: string;
  message: string;
}

export type Action = 'load' | 'unload' | 'pin' | 'unpin' | 'reset';

/** Does it to a model. `unload` answers when its memory is free; `load` when it has begun. */
export function manage(action: Action, model: string, force = false): Promise<Managed> {
  const body = action === 'load' ? { wait: false } : action === 'unload' ? { force } : undefined;
  return call<Managed>(`${base(model)}/${action}`, { method: 'POST', ...(body === undefined ? {} : { body }) });
}

export interface Removal {
  files: string[];
  size_bytes: number;
  removed: boolean;
}

/** What a removal would delete. */
export const planRemoval = (model: string) => call<Removal>(base(model), { method: 'DELETE', query: { dry_run: true } });

export const removeModel = (model: string, force: boolean) => call<Removal>(base(model), { method: 'DELETE', query: { force } });
