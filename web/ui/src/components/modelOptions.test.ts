import { describe, expect, it } from 'vitest';
import type { ModelUse } from '@/api/models';
import { optionsOf, purposesOf, serves } from './modelOptions';

function model(id: string, capabilities: string[], aliases: string[] = []): ModelUse {
  return { id, aliases, size_bytes: 1, capabilities, architecture: null, quantization: null, size_label: null, context_length: null };
}

const CHAT = model('chat', ['chat', 'completion', 'tools'], ['best', 'chat']);
const PLAIN = model('plain', ['completion']);
const RANK = model('rank', ['rerank']);
const UNREAD = model('unread', []);

describe('the models to choose from', () => {
  it.each([
    [CHAT, 'chat', true],
    [PLAIN, 'chat', true],
    [RANK, 'chat', false],
    [UNREAD, 'chat', true],
    [RANK, 'rerank', true],
    [CHAT, 'vision', false],
    [RANK, 'any', true],
  ] as const)('%j is for %s: %s', (one, purpose, is) => {
    expect(serves(one, purpose)).toBe(is);
  });

  it('begin with the loaded ones, and have aliases behind their models', () => {
    const found = optionsOf([CHAT, PLAIN, RANK], new Set(['plain']), 'chat', null);
    expect(found.map(({ value, aliasOf, isLoaded }) => [value, aliasOf, isLoaded])).toEqual([
      ['plain', null, true],
      ['chat', null, false],
      ['best', 'chat', false],
    ]);
  });

  it('keep a chosen one that has gone', () => {
    expect(optionsOf([PLAIN], new Set(), 'any', 'gone').at(-1)).toMatchObject({ value: 'gone', model: null });
    expect(optionsOf([PLAIN], new Set(), 'any', '')).toHaveLength(1);
    expect(optionsOf([CHAT], new Set(), 'any', 'best')).toHaveLength(2);
  });

  it.each([
    [['chat', 'completion', 'tools', 'reasoning'], ['tools', 'reasoning']],
    [['chat', 'completion'], ['text']],
    [['rerank'], ['rerank']],
    [['completion', 'vision'], ['vision']],
    [[], []],
  ])('%j are for %j', (capabilities, told) => {
    expect(purposesOf(capabilities)).toEqual(told);
  });
});
