/** The messages of `GET /v1/kronk/events`; docs/observability.md says what they mean. */

export type SlotPhase = 'idle' | 'prefill' | 'reading' | 'generating' | 'paused';

export type LoadPhase = 'weights' | 'projector' | 'context' | 'first_decode';

export interface LiveSlot {
  index: number;
  phase: SlotPhase;
  /** Rows of the KV cache that it holds. */
  rows: number;
  /** Tokens of the prompt, and those of them that are read. */
  prompt: number;
  prompt_done: number;
  generated: number;
  request: string;
  /** Whose request it is; null unless an administrator looks. */
  by: string | null;
}

export interface LiveCache {
  kind: 'slots' | 'ram' | 'pinned' | 'disk';
  entries: number;
  bytes: number;
  cap_bytes: number | null;
  idle_seconds: number | null;
}

/** A model that is loaded, on its way there or back: the row of `kronk ps`. */
export interface LiveModel {
  model: string;
  state: string;
  pid: number | null;
  generation: number | null;
  host: string | null;
  rss_bytes: number | null;
  predicted_bytes: number | null;
  measured_bytes: number | null;
  /** Bytes set aside for it by device. */
  promised: Record<string, number>;
  n_ctx: number | null;
  slots_busy: number;
  slots_total: number;
  queued: number;
  active_streams: number;
  tokens_per_second: number;
  idle_seconds: number | null;
  /** Seconds until it is unloaded unless it is used. */
  expires_in: number | null;
  ttl: number | null;
  pinned: boolean;
  restarts: number;
  last_exit: string | null;
  last_exit_age: number | null;
  /** Of a load: what it does, how far it is (0 to 1), and the seconds left. */
  phase: LoadPhase | null;
  fraction: number | null;
  eta: number | null;
  retry_in: number | null;
  state_seconds: number;
  slots: LiveSlot[];
  caches: LiveCache[];
}

export interface LiveProcess {
  role: 'supervisor' | 'gateway' | 'spare' | 'worker';
  model: string | null;
  pid: number;
  generation: number;
  host: string | null;
  rss_bytes: number | null;
  cpu_percent: number | null;
  threads: number | null;
  fds: number | null;
}

export interface LiveQueue {
  model: string;
  waiting: number;
  requests: { request: string; position: number | null; seconds: number; by: string | null }[];
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  id: string;
  kind: string;
  /** What it does, for people. */
  title: string;
  params: Record<string, unknown>;
  state: JobState;
  phase: string | null;
  done_bytes: number;
  total_bytes: number | null;
  /** Unix seconds. */
  created: number;
  started: number | null;
  ended: number | null;
  /** Bytes a second, and the seconds left. */
  rate: number | null;
  eta: number | null;
  attempts: number;
  error: { code: string; message: string } | null;
  retry_at: number | null;
  result: Record<string, unknown> | null;
}

export interface LiveBudget {
  device: string;
  total_bytes: number;
  budget_bytes: number;
  reserved_bytes: number;
}

export interface LiveSystem {
  cpu_percent: number | null;
  cores: number[] | null;
  core_count: number;
  load: number[];
  memory: { total_bytes: number; used_bytes: number; available_bytes: number };
  swap: { total_bytes: number; used_bytes: number };
  disk: { total_bytes: number; free_bytes: number } | null;
  gpus: { name: string; total_bytes: number; used_bytes: number; utilisation: number | null }[];
}

export interface LiveState {
  type: 'state';
  sequence: number;
  /** Unix seconds. */
  time: number;
  server: { version: string; uptime: number | null; draining: boolean; mode: string; warnings: string[] };
  models: LiveModel[];
  processes: LiveProcess[];
  queue: LiveQueue[];
  jobs: Job[];
  batches: { running: number };
  budgets: LiveBudget[];
  leases: Record<string, number>;
  system: LiveSystem;
  /** Of the answers that ended within the last minute; seconds. */
  latency: { ended: number; failed: number; ttft_p50: number | null; ttft_p95: number | null };
  throughput: { tokens_per_second: number; models: Record<string, number> };
}

export interface LiveEvent {
  type: 'event';
  sequence: number;
  time: number;
  kind: string;
  level: 'info' | 'warning' | 'error';
  message: string;
  model: string | null;
  job: string | null;
  reason: string | null;
  seconds: number | null;
}

export interface LiveEnd {
  type: 'end';
  time: number;
  reason: 'draining' | 'unauthenticated';
  message: string;
}

export type LiveMessage = LiveState | LiveEvent | LiveEnd;
