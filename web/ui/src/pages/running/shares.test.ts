import { describe, expect, it } from 'vitest';
import type { LiveModel, LiveSlot } from '@/live/state';
import { alarm, filled, promptRead, sharesOf } from './shares';

const model = (name: string, bytes: number) => ({ model: name, promised: bytes === 0 ? {} : { host: bytes } }) as unknown as LiveModel;
const slot = (rows: number, prompt = 0, done = 0) => ({ rows, prompt, prompt_done: done }) as LiveSlot;

describe('memory', () => {
  it('is shared among models, the largest first', () => {
    const budget = { device: 'host', total_bytes: 200, budget_bytes: 100, reserved_bytes: 70 };
    const found = sharesOf(budget, [model('a', 20), model('none', 0), model('b', 40)]);
    expect(found.shares).toEqual([
      { model: 'b', bytes: 40, share: 0.4 },
      { model: 'a', bytes: 20, share: 0.2 },
    ]);
    expect([found.rest, found.free]).toEqual([10, 30]);
  });

  it('is never less than nothing', () => {
    const found = sharesOf({ device: 'host', total_bytes: 1, budget_bytes: 0, reserved_bytes: 0 }, [model('a', 9)]);
    expect(found).toMatchObject({ rest: 0, free: 0 });
    expect(found.shares[0]?.share).toBe(1);
  });
});

describe('a slot', () => {
  it.each([
    [slot(50), 100, 0.5],
    [slot(500), 100, 1],
    [slot(50), null, null],
    [slot(50), 0, null],
  ])('%j of %s is filled to %s', (one, context, share) => {
    expect(filled(one, context)).toBe(share);
  });

  it('reads its prompt', () => {
    expect(promptRead(slot(0, 10, 4))).toBe(0.4);
    expect(promptRead(slot(0))).toBe(0);
  });

  it.each([
    [null, 'gray'],
    [0.1, 'kronk'],
    [0.8, 'yellow'],
    [0.99, 'red'],
  ])('filled to %s is %s', (share, color) => {
    expect(alarm(share)).toBe(color);
  });
});
