import { describe, expect, it } from 'vitest';
import type { Token, UsageRow } from './api';
import { bySubject } from './usage';
import { EMPTY, type Endpoint, faultsOf, type Grant, type TokenForm, wishOf } from './wish';

const granted = (grants: Partial<Record<Endpoint, Partial<Grant>>>): TokenForm['endpoints'] => ({
  ...EMPTY.endpoints,
  'chat-completions': { isGranted: false, window: 'unlimited', limit: '' },
  ...Object.fromEntries(Object.entries(grants).map(([name, grant]) => [name, { isGranted: true, window: 'unlimited', limit: '', ...grant }])),
});

describe('a token’s wish', () => {
  it.each<[string, Partial<TokenForm>, object]>([
    ['as the form begins', {}, { duration: '720h', endpoints: ['chat-completions'] }],
    ['hours and a name', { duration: '1.5', unit: 'h', name: ' Anna ' }, { duration: '1.5h', name: 'Anna', endpoints: ['chat-completions'] }],
    ['an administrator has no limits', { isAdmin: true, tokens: '5' }, { duration: '720h', admin: true }],
    [
      'limits of calls',
      { endpoints: granted({ rerank: { window: 'day', limit: '5' }, embeddings: {} }) },
      { duration: '720h', endpoints: ['embeddings', 'rerank:5/day'] },
    ],
    [
      'models, tokens and concurrency',
      { models: ['Qwen3-*'], tokens: '1000', tokensWindow: 'month', concurrency: '2' },
      { duration: '720h', endpoints: ['chat-completions'], models: ['Qwen3-*'], tokens: '1000/month', concurrency: 2 },
    ],
  ])('%s', (_, change, wish) => expect(wishOf({ ...EMPTY, ...change })).toEqual(wish));

  it.each<[string, Partial<TokenForm>, object]>([
    ['nothing', {}, {}],
    ['no time', { duration: '0' }, { duration: 'duration' }],
    ['words for a time', { duration: 'long' }, { duration: 'duration' }],
    ['no endpoint', { endpoints: granted({}) }, { endpoints: 'none' }],
    ['an endpoint without its limit', { endpoints: granted({ rerank: { window: 'day' } }) }, { rerank: 'count' }],
    ['tokens and requests', { tokens: 'many', concurrency: '0' }, { tokens: 'count', concurrency: 'count' }],
    ['limits of an administrator', { isAdmin: true, tokens: 'many' }, {}],
  ])('%s is wrong with it', (_, change, faults) => expect(faultsOf({ ...EMPTY, ...change })).toEqual(faults));
});

describe('usage', () => {
  const amounts = (calls: number, tokens = 0) => ({ calls, prompt_tokens: tokens, completion_tokens: tokens });
  const row = (subject: string, endpoint: string, day: number): UsageRow => ({ subject, name: null, endpoint, day: amounts(day, 10), month: amounts(10 * day), year: amounts(100 * day) });
  const token = (change: Partial<Token>): Token => ({
    subject: 'a', name: 'Anna', admin: false, state: 'good', key: 'k', issued: 1, expires: 9, issued_by: 'x', endpoints: {}, models: null, tokens: null, concurrency: null, ...change,
  });

  it('stands beside the limits of the newest good token', () => {
    const tokens = [
      token({ endpoints: { rerank: { limit: 1, window: 'day' } } }),
      token({ issued: 2, endpoints: { rerank: { limit: 20, window: 'month' }, embeddings: { limit: 0, window: 'unlimited' } }, tokens: { limit: 80, window: 'day' } }),
      token({ issued: 3, state: 'revoked', endpoints: { rerank: { limit: 1, window: 'day' } } }),
    ];
    const [anna, other] = bySubject([row('a', 'rerank', 1), row('a', 'embeddings', 5), row('b', 'rerank', 3)], tokens);
    expect(anna).toMatchObject({ name: 'Anna', budget: { used: 40, share: 0.5 } });
    expect(anna?.rows.map(({ endpoint, used, share }) => [endpoint, used, share])).toEqual([['rerank', 10, 0.5], ['embeddings', 5, null]]);
    expect(other).toMatchObject({ name: null, budget: null, rows: [{ used: 3, share: null }] });
  });

  it.each([
    [0, 1],
    [1, 1],
    [4, 0.75],
  ])('of a limit of %d is a share of %d', (limit, share) => {
    const [found] = bySubject([row('a', 'rerank', 3)], [token({ endpoints: { rerank: { limit, window: 'day' } } })]);
    expect(found?.rows[0]?.share).toBe(share);
  });
});
