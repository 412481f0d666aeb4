import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { call } from './http';

export interface CatalogFile {
  source: string;
  role: 'model' | 'shard' | 'projector' | 'draft';
  sha256: string | null;
  size_bytes: number | null;
  size_is_exact: boolean;
}

/** A row of `GET /v1/kronk/catalog`. */
export interface CatalogEntry {
  id: string;
  category: string;
  endpoint: string;
  pulled: boolean;
  size_bytes: number | null;
  size_is_exact: boolean;
  capabilities: string[];
  licence: string;
  gated: boolean;
  description: string;
  parameters: string | null;
  quantisation: string | null;
  context: number | null;
  web_page: string | null;
  /** `kronk`, or the file it is in. */
  origin: string;
  folder: string;
  files: CatalogFile[];
  config: Record<string, unknown>;
}

export interface PlanFile {
  name: string;
  path: string;
  role: CatalogFile['role'];
  size_bytes: number | null;
  sha256: string | null;
  source: string;
  here: 'same' | 'unverified' | 'different' | 'absent';
}

/** One of the models that a repository of the hub has. */
export interface Choice {
  quant: string;
  source: string;
  size_bytes: number | null;
  projector: boolean;
  chosen: boolean;
}

/** `GET /v1/kronk/resolve`: what a word would fetch. */
export interface Plan {
  wanted: string;
  model: string;
  folder: string;
  licence: string | null;
  revision: string | null;
  gated: string | null;
  size_bytes: number | null;
  files: PlanFile[];
  choices: Choice[];
}

export type Verdict = 'fits' | 'fits_without_idle' | 'has_to_wait' | 'does_not_fit';

/** `POST /v1/kronk/vram`, as far as these pages need it. */
export interface Estimate {
  model: string;
  verdict: Verdict;
  predicted: { bytes: number };
  set_aside: { bytes: number };
  settings: { context_window: number; n_seq_max: number };
  largest_context: number;
  most_slots: number;
  advice: unknown[];
}

export const catalogQuery = () =>
  queryOptions({
    queryKey: ['catalog', 'all'],
    queryFn: ({ signal }) => call<{ data: CatalogEntry[]; faults: string[] }>('/v1/kronk/catalog', { signal }),
    staleTime: 30_000,
  });

export const catalogEntryQuery = (id: string) =>
  queryOptions({ queryKey: ['catalog', 'one', id], queryFn: ({ signal }) => call<CatalogEntry>(`/v1/kronk/catalog/${encodeURIComponent(id)}`, { signal }) });

/** What `source` would fetch; asks the hub. Off for ''. */
export const planQuery = (source: string) =>
  queryOptions({
    queryKey: ['plan', source],
    queryFn: ({ signal }) => call<Plan>('/v1/kronk/resolve', { query: { source }, signal }),
    enabled: source !== '',
    staleTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
  });

/** Whether it fits the server's machine as it is now. Of what is not here the server reads headers
 * where they are. */
export const estimateQuery = (asked: { model: string } | { source: string }) =>
  queryOptions({
    queryKey: ['estimate', asked],
    queryFn: ({ signal }) => call<Estimate>('/v1/kronk/vram', { method: 'POST', body: asked, signal }),
    staleTime: 300_000,
    retry: false,
  });
