import { describe, expect, it } from 'vitest';
import { endpointIn, linesOf, prepare, promptOf, type Settings } from './requests';
import { parse } from './sources';

const SETTINGS: Settings = { endpoint: '/v1/chat/completions', model: 'Tiny', system: '', maxTokens: '', temperature: '' };
const of = (text: string, changes: Partial<Settings> = {}, format: 'text' | 'jsonl' = 'text') =>
  prepare(parse(format, text, { column: null, hasHead: true }), { ...SETTINGS, ...changes });
const bodies = (...given: Parameters<typeof of>) => of(...given).requests.map(({ request }) => request.body);

describe('the requests of a batch', () => {
  it.each<[Partial<Settings>, Record<string, unknown>]>([
    [{}, { model: 'Tiny', messages: [{ role: 'user', content: 'Hi' }] }],
    [
      { system: ' Be brief. ', maxTokens: 5, temperature: 0 },
      { model: 'Tiny', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi' }], max_tokens: 5, temperature: 0 },
    ],
    [{ endpoint: '/v1/completions', system: 'Go.', maxTokens: 5 }, { model: 'Tiny', prompt: 'Go.\n\nHi', max_tokens: 5 }],
    [{ endpoint: '/v1/responses', system: 'Go.', maxTokens: 16 }, { model: 'Tiny', input: 'Hi', instructions: 'Go.', max_output_tokens: 16 }],
    [{ endpoint: '/v1/embeddings', system: 'Go.', maxTokens: 5 }, { model: 'Tiny', input: 'Hi' }],
  ])('say what %j asks', (changes, body) => {
    expect(bodies('Hi', changes)).toEqual([body]);
  });

  it('have names of their own', () => {
    const found = of('{"prompt": "a", "custom_id": "request-2"}\n"b"\n{"prompt": "c", "custom_id": "request-2"}', {}, 'jsonl');
    expect(found.requests.map(({ request }) => request.custom_id)).toEqual(['request-2', 'request-2-2', 'request-2']);
    expect(found.problems).toEqual([{ line: 3, kind: 'duplicate', detail: 'request-2 (1)' }]);
  });

  it('are sent as they are where they are whole', () => {
    const text = '{"custom_id": "a", "url": "/v1/embeddings", "body": {"model": "m", "input": "x", "dimensions": 2}}';
    const found = of(text, { endpoint: '/v1/embeddings', maxTokens: 5 }, 'jsonl');
    expect(found.problems).toEqual([]);
    expect(linesOf(found.requests.map(({ request }) => request))).toBe(
      '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x","dimensions":2}}\n',
    );
    expect(endpointIn(parse('jsonl', text, { column: null, hasHead: true }).items)).toBe('/v1/embeddings');
  });

  it.each<[string, Partial<Settings>, [number | null, string][]]>([
    ['{"url": "/v1/embeddings", "body": {"input": "x"}}', {}, [[1, 'url']]],
    ['{"messages": []}', { endpoint: '/v1/responses' }, [[1, 'messages']]],
    ['{"body": {"input": "x"}}', { model: '' }, [[null, 'model']]],
    ['"Hi"\n"Ho"', { model: '' }, [[null, 'model']]],
    ['{"body": {"model": 5}}', {}, [[1, 'model']]],
    ['{"body": {"model": "a"}}\n{"body": {"model": "b"}}', {}, [[null, 'models']]],
  ])('are looked at before they are sent: %s', (text, changes, expected) => {
    expect(of(text, changes, 'jsonl').problems.map(({ line, kind }) => [line, kind])).toEqual(expected);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ messages: [{ role: 'user', content: 'Hi' }] }, 'Hi'],
    [{ messages: [{ role: 'user', content: [{ type: 'text', text: 'See' }, { type: 'image_url' }] }] }, 'See'],
    [{ prompt: 'Once' }, 'Once'],
    [{ input: ['a', 'b'] }, 'a b'],
    [{ input: [1, 2] }, '[1,2]'],
  ])('are shown by their prompt: %j', (body, text) => {
    expect(promptOf(body)).toBe(text);
  });
});
