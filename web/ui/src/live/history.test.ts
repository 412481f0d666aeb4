import { describe, expect, it } from 'vitest';
import { after, MOST_SAMPLES, NOTHING, parseSamples } from './history';
import type { LiveState } from './state';

function state(sequence: number): LiveState {
  return {
    type: 'state',
    sequence,
    time: sequence,
    server: { version: '1', uptime: 1, draining: false, mode: 'open', warnings: [] },
    models: [],
    processes: [],
    queue: [{ model: 'm', waiting: 2, requests: [] }],
    jobs: [],
    batches: { running: 0 },
    budgets: [],
    leases: {},
    system: {
      cpu_percent: 5,
      cores: null,
      core_count: 2,
      load: [0, 0, 0],
      memory: { total_bytes: 10, used_bytes: 4, available_bytes: 6 },
      swap: { total_bytes: 0, used_bytes: 0 },
      disk: null,
      gpus: [],
    },
    latency: { ended: 0, failed: 0, ttft_p50: 0.2, ttft_p95: null },
    throughput: { tokens_per_second: sequence, models: {} },
  };
}

describe('the live state', () => {
  it('keeps the newest state and a bounded past', () => {
    let live = NOTHING;
    for (let count = 1; count <= MOST_SAMPLES + 5; count += 1) live = after(live, state(count));
    expect(live.state?.sequence).toBe(MOST_SAMPLES + 5);
    expect(live.samples).toHaveLength(MOST_SAMPLES);
    expect(live.samples.at(-1)).toMatchObject({ tokensPerSecond: MOST_SAMPLES + 5, queued: 2, memoryUsed: 4 });
  });

  it('goes on with the samples of the page before, but for old ones', () => {
    const kept = after(after(NOTHING, state(100)), state(1000)).samples;
    const restored = { ...NOTHING, samples: parseSamples(JSON.stringify(kept)) };
    expect(after(restored, state(1001)).samples.map(({ time }) => time)).toEqual([1000, 1001]);
    expect(parseSamples('[{"time": "1"}, null]')).toEqual([]);
    expect(parseSamples('{')).toEqual([]);
  });

  it('says why it ended, and keeps what it knew', () => {
    const known = after(NOTHING, state(1));
    const ended = after(known, { type: 'end', time: 2, reason: 'unauthenticated', message: 'The token was revoked.' });
    expect(ended).toMatchObject({ connection: 'denied', problem: 'The token was revoked.' });
    expect(ended.state?.sequence).toBe(1);
    expect(after(ended, state(2))).toMatchObject({ connection: 'live', problem: null });
  });
});
