import { expect, it } from 'vitest';
import type { Sample } from '@/live/history';
import { speedSeries } from './series';

function sample(models: Record<string, number>): Sample {
  const tokensPerSecond = Object.values(models).reduce((sum, rate) => sum + rate, 0);
  return { time: 0, tokensPerSecond, models, cpu: null, memoryUsed: 0, queued: 0, slotsBusy: 0, ttft: null, ttftSlow: null };
}

it('has one line where nothing spoke', () => {
  expect(speedSeries([sample({ a: 0 })], 'all')).toEqual([{ name: 'all', values: [0] }]);
});

it('names the only model that spoke, with gaps where it was not loaded', () => {
  expect(speedSeries([sample({}), sample({ a: 5, b: 0 })], 'all')).toEqual([{ name: 'a', values: [null, 5] }]);
});

it('puts the fastest first, and their sum last', () => {
  const lines = speedSeries([sample({ a: 1, b: 9 })], 'all');
  expect(lines.map(({ name, values }) => [name, values[0]])).toEqual([['b', 9], ['a', 1], ['all', 10]]);
});

it('shows no more lines than can be told apart', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, place) => [`m${place}`, place + 1]));
  expect(speedSeries([sample(many)], 'all')).toHaveLength(7);
});
