import type { Sample } from '@/live/history';

interface Line {
  name: string;
  values: (number | null)[];
}

/** Models that have a line of their own; one more would not be told from the others. */
const MOST_LINES = 6;

/** Tokens a second: of the models that spoke in this time, the fastest first, or of all together. */
export function speedSeries(samples: readonly Sample[], all: string): Line[] {
  const totals = new Map<string, number>();
  for (const { models } of samples) {
    for (const [name, rate] of Object.entries(models)) totals.set(name, (totals.get(name) ?? 0) + rate);
  }
  const names = [...totals].filter(([, total]) => total > 0).sort(([, one], [, other]) => other - one);
  const whole = { name: all, values: samples.map(({ tokensPerSecond }) => tokensPerSecond) };
  if (names.length === 0) return [whole];
  const lines = names.slice(0, MOST_LINES).map(([name]) => ({ name, values: samples.map(({ models }) => models[name] ?? null) }));
  return names.length > 1 ? [...lines, whole] : lines;
}
