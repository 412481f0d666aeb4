import { afterEach, describe, expect, test, vi } from 'vitest';
import { ask, chatUrl, type Connection, faultsOf, modelsOf, modelsUrl, parseConnections, THIS_KRONK, unreachable } from './connection';

const other = (change: Partial<Connection> = {}): Connection => ({
  id: 'a',
  name: 'Box',
  dialect: 'openai',
  base: 'http://box:1',
  path: '/v1/chat/completions',
  key: '',
  ...change,
});

afterEach(() => vi.unstubAllGlobals());

test.each([
  ['http://box:1', '/v1/chat/completions', 'http://box:1/v1/chat/completions', 'http://box:1/v1/models'],
  ['http://box:1/', '/v1/chat/completions', 'http://box:1/v1/chat/completions', 'http://box:1/v1/models'],
  ['http://box:1/v1', '/v1/chat/completions', 'http://box:1/v1/chat/completions', 'http://box:1/v1/models'],
  ['https://x.org/api', '/v1/chat/completions', 'https://x.org/api/v1/chat/completions', 'https://x.org/api/v1/models'],
  ['', '/v1/chat/completions', '/v1/chat/completions', '/v1/models'],
])('%s with %s is asked at %s', (base, path, chat, models) => {
  expect(chatUrl(other({ base, path }))).toBe(chat);
  expect(modelsUrl(other({ base, path }))).toBe(models);
});

test.each([
  [{}, {}],
  [{ name: ' ' }, { name: 'missing' }],
  [{ base: 'box:1' }, { base: 'notUrl' }],
  [{ base: '' }, { base: 'notUrl' }],
  [{ base: 'http://box/?a=1' }, { base: 'hasQuery' }],
  [{ path: 'v1' }, { path: 'notPath' }],
])('of %o the faults are %o', (change, faults) => {
  expect(faultsOf(other(change))).toEqual(faults);
});

test.each([
  [null, THIS_KRONK.id, 0],
  ['{', THIS_KRONK.id, 0],
  ['3', THIS_KRONK.id, 0],
  [JSON.stringify({ current: 'a', others: [other()] }), 'a', 1],
  [JSON.stringify({ current: 'b', others: [other(), { id: 'b' }] }), THIS_KRONK.id, 1],
])('stored connections %s are read', (text, current, count) => {
  const read = parseConnections(text);
  expect([read.current, read.others.length]).toEqual([current, count]);
});

describe('another server', () => {
  test('is asked with its key, and with nothing of ours', async () => {
    const fetched = vi.fn<(url: string, init: RequestInit) => Promise<Response>>(() => Promise.resolve(Response.json({ data: [{ id: 'x' }, {}] })));
    vi.stubGlobal('fetch', fetched);
    expect(await modelsOf(other({ key: 'secret' }))).toEqual(['x']);
    const [url, init] = fetched.mock.calls[0]!;
    expect(url).toBe('http://box:1/v1/models');
    expect(init.credentials).toBe('omit');
    expect(new Headers(init.headers).get('authorization')).toBe('Bearer secret');
  });

  test('that gives no answer is explained', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(ask(other(), {})).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('CORS') as string });
  });

  test('is believed in what it says went wrong', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ error: { message: 'No such key', code: 'bad_key' } }, { status: 401 })));
    await expect(ask(other(), {})).rejects.toMatchObject({ status: 401, code: 'bad_key', message: 'No such key' });
  });
});

test.each([
  ['http://box:1', 'https:', 'https'],
  ['http://localhost:1', 'https:', 'CORS'],
  ['http://box:1', 'http:', 'CORS'],
])('from a page by %2$s, %1$s may be silent because of %3$s', (base, protocol, word) => {
  expect(unreachable(base, { protocol, origin: `${protocol}//here` })).toContain(word);
});
