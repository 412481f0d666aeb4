import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { call } from '@/api/http';
import type { Question } from './question';

type Bytes = Record<string, number>;

export interface Device {
  device: string;
  total_bytes: number;
  budget_bytes: number;
  /** What loaded models have of it. */
  held_bytes: number;
  /** What of that would be given up. */
  idle_bytes: number;
}

export interface Part {
  part: string;
  kind: string | null;
  devices: Bytes;
  bytes: number;
}

export type Verdict = 'fits' | 'fits_without_idle' | 'has_to_wait' | 'does_not_fit';

export interface Estimate {
  model: string;
  origin: 'disk' | 'remote';
  fetched_bytes: number;
  architecture: string;
  parameters: number;
  file_bytes: number;
  trained_context: number | null;
  layers: { count: number; on_gpus: number; kinds: Record<string, number> };
  settings: Record<string, unknown> & { context_window: number; n_seq_max: number; cache_type_k: string; cache_type_v: string };
  parts: Part[];
  predicted: { devices: Bytes; bytes: number };
  measured: { devices: Bytes; bytes: number } | null;
  set_aside: { devices: Bytes; bytes: number; prefix_cache_bytes: number; kept_media_bytes: number };
  machine: { imagined: boolean; devices: Device[] };
  verdict: Verdict;
  largest_context: number;
  most_slots: number;
  grid: { context_window: number; cache_type: string; total_bytes: number; fits: boolean }[];
  advice: string[];
}

export interface Tuning {
  fits: boolean;
  settings: Record<string, unknown>;
  choices: { key: string; value: unknown; why: string }[];
  configured_as: string;
  yaml: string;
  estimate: Estimate;
}

/** The answer; that to the question before it until this one's comes. */
export function useEstimate(question: Question | null) {
  return useQuery({
    queryKey: ['estimate', question],
    queryFn: ({ signal }) => call<Estimate>('/v1/kronk/vram', { method: 'POST', body: question, signal }),
    enabled: question !== null,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

export const tune = (question: Question) => call<Tuning>('/v1/kronk/autotune', { method: 'POST', body: question });
