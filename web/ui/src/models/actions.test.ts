import { describe, expect, it } from 'vitest';
import type { LiveModel } from '@/live/state';
import { actionsOf, pageOf, stateOf } from './actions';

const row = (state: string, pinned = false) => ({ state, pinned }) as LiveModel;

describe('a model', () => {
  it.each([
    [undefined, ['pin', 'load'], 'unloaded'],
    [row('absent', true), ['unpin', 'load'], 'unloaded'],
    [row('ready'), ['pin', 'unload'], 'ready'],
    [row('loading', true), ['unpin', 'unload'], 'loading'],
    [row('backoff'), ['pin', 'load', 'reset'], 'backoff'],
    [row('failed'), ['pin', 'load', 'reset'], 'failed'],
  ])('%j can be acted on by %j', (one, actions, state) => {
    expect([...actionsOf(one)]).toEqual(actions);
    expect(stateOf(one)).toBe(state);
  });

  it('has an address, slashes and all', () => {
    expect(pageOf('org/a b')).toBe('/models/org/a%20b');
  });
});
