import type { LiveEvent, LiveMessage, LiveState } from './state';

/** What charts need of one second. */
export interface Sample {
  time: number;
  tokensPerSecond: number;
  models: Record<string, number>;
  cpu: number | null;
  memoryUsed: number;
  queued: number;
  slotsBusy: number;
  /** Seconds to the first token, of the last minute's answers. */
  ttft: number | null;
  ttftSlow: number | null;
}

export interface Live {
  /** 'live', or why the newest state may be old: 'denied' to who is not known, 'forbidden' to who may not. */
  connection: 'connecting' | 'live' | 'lost' | 'denied' | 'forbidden';
  /** What the server or the network said when it was lost. */
  problem: string | null;
  state: LiveState | null;
  /** The newest last. */
  samples: readonly Sample[];
  /** The newest first. */
  happenings: readonly LiveEvent[];
}

export const MOST_SAMPLES = 900;
/** Samples of a page that was left are gone on with for so long, in seconds. */
const OLDEST = 900;
const MOST_HAPPENINGS = 200;

export const NOTHING: Live = { connection: 'connecting', problem: null, state: null, samples: [], happenings: [] };

/** What is known after `message`. */
export function after(live: Live, message: LiveMessage): Live {
  switch (message.type) {
    case 'state':
      return {
        ...live,
        connection: 'live',
        problem: null,
        state: message,
        samples: [...since(live.samples, message.time - OLDEST).slice(1 - MOST_SAMPLES), sampleOf(message)],
      };
    case 'event':
      return { ...live, happenings: [message, ...live.happenings].slice(0, MOST_HAPPENINGS) };
    case 'end':
      return { ...live, connection: message.reason === 'draining' ? 'lost' : 'denied', problem: message.message };
  }
}

function sampleOf(state: LiveState): Sample {
  return {
    time: state.time,
    tokensPerSecond: state.throughput.tokens_per_second,
    models: state.throughput.models,
    cpu: state.system.cpu_percent,
    memoryUsed: state.system.memory.used_bytes,
    queued: state.queue.reduce((sum, queue) => sum + queue.waiting, 0),
    slotsBusy: state.models.reduce((sum, model) => sum + model.slots_busy, 0),
    ttft: state.latency.ttft_p50,
    ttftSlow: state.latency.ttft_p95,
  };
}

function since(samples: readonly Sample[], oldest: number): readonly Sample[] {
  const first = samples[0];
  return first === undefined || first.time >= oldest ? samples : samples.filter(({ time }) => time >= oldest);
}

/** The samples that a page has kept when it was left; none of what is not good. */
export function parseSamples(text: string | null): Sample[] {
  if (text === null) return [];
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found.filter(isSample) : [];
  } catch {
    return [];
  }
}

function isSample(value: unknown): value is Sample {
  if (typeof value !== 'object' || value === null) return false;
  const { time, tokensPerSecond, models } = value as Partial<Sample>;
  return typeof time === 'number' && typeof tokensPerSecond === 'number' && typeof models === 'object';
}
