import { type QueryClient, useQuery } from '@tanstack/react-query';
import { call, send } from '@/api/http';
import { itemsOf } from './items';
import { type Endpoint, linesOf, type Request } from './requests';

export type BatchStatus = 'validating' | 'failed' | 'in_progress' | 'finalizing' | 'completed' | 'expired' | 'cancelling' | 'cancelled';

export interface Batch {
  id: string;
  endpoint: string;
  model: string | null;
  errors: { data: { code: string; message: string; line: number | null; param: string | null }[] } | null;
  input_file_id: string;
  completion_window: string;
  status: BatchStatus;
  output_file_id: string | null;
  error_file_id: string | null;
  /** Unix seconds. */
  created_at: number;
  in_progress_at: number | null;
  expires_at: number;
  completed_at: number | null;
  failed_at: number | null;
  expired_at: number | null;
  cancelled_at: number | null;
  request_counts: { total: number; completed: number; failed: number };
  usage: { input_tokens: number; output_tokens: number; total_tokens: number };
  metadata: Record<string, string> | null;
}

interface StoredFile {
  id: string;
  bytes: number;
  filename: string;
}

const KEY = 'batches';
const EVERY = 1500;
const SELDOM = 10_000;
const PAGE = 20;
/** What a page of a browser is spared: larger files are for programs. */
export const MOST_BYTES = 32 * 1024 * 1024;

const OVER: ReadonlySet<BatchStatus> = new Set(['failed', 'completed', 'expired', 'cancelled']);
export const isOver = (batch: Batch) => OVER.has(batch.status);

/** When it ended. */
export const endOf = (batch: Batch) => batch.completed_at ?? batch.failed_at ?? batch.expired_at ?? batch.cancelled_at;

/** The name that was given to it here. */
export const nameOf = (batch: Batch) => batch.metadata?.name ?? batch.id;

export const contentPath = (file: string) => `/v1/files/${encodeURIComponent(file)}/content`;

/** The latest batches, `pages` of them. */
export function useBatches(pages: number) {
  return useQuery({
    queryKey: [KEY, 'list', pages],
    queryFn: ({ signal }) => call<{ data: Batch[]; has_more: boolean }>('/v1/batches', { query: { limit: Math.min(PAGE * pages, 100) }, signal }),
    refetchInterval: ({ state }) => (state.data?.data.every(isOver) === false ? EVERY : SELDOM),
    placeholderData: (before) => before,
  });
}

export function useBatch(id: string) {
  return useQuery({
    queryKey: [KEY, 'one', id],
    queryFn: ({ signal }) => call<Batch>(`/v1/batches/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: ({ state }) => (state.data !== undefined && !isOver(state.data) ? EVERY : false),
  });
}

/** The requests of a batch with their outcomes; again when there may be more of them. */
export function useItems(batch: Batch) {
  const { input_file_id: input, output_file_id: output, error_file_id: errors } = batch;
  return useQuery({
    queryKey: [KEY, 'items', batch.id, output, errors, batch.status],
    queryFn: async ({ signal }) => {
      const [asked, answered, failed] = await Promise.all([textOf(input, signal), textOf(output, signal), textOf(errors, signal)]);
      return itemsOf(asked, answered, failed);
    },
    staleTime: Infinity,
    placeholderData: (before) => before,
  });
}

/** The files of a batch are larger than what a page shows. */
export class TooLarge extends Error {}

async function textOf(file: string | null, signal: AbortSignal): Promise<string> {
  if (file === null) return '';
  const { bytes } = await call<StoredFile>(`/v1/files/${encodeURIComponent(file)}`, { signal });
  if (bytes > MOST_BYTES) throw new TooLarge(file);
  return (await send(contentPath(file), { signal })).text();
}

/** Uploads the requests and begins a batch of them. */
export async function begin(requests: readonly Request[], endpoint: Endpoint, name: string): Promise<Batch> {
  const form = new FormData();
  form.append('purpose', 'batch');
  form.append('file', new Blob([linesOf(requests)], { type: 'application/jsonl' }), 'batch.jsonl');
  const file = await call<StoredFile>('/v1/files', { method: 'POST', body: form });
  const metadata = name === '' ? {} : { metadata: { name } };
  return call<Batch>('/v1/batches', { method: 'POST', body: { input_file_id: file.id, endpoint, completion_window: '24h', ...metadata } });
}

export const cancel = (id: string) => call<Batch>(`/v1/batches/${encodeURIComponent(id)}/cancel`, { method: 'POST' });

export const askAgain = (queries: QueryClient) => queries.invalidateQueries({ queryKey: [KEY] });
