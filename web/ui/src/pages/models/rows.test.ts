import { describe, expect, it } from 'vitest';
import type { ModelFile } from '@/api/modelFiles';
import type { ModelUse } from '@/api/models';
import { matches, rowsOf, sorted } from './rows';

const file = (id: string, size: number, modified: number, validated = true): ModelFile => ({
  id, path: `/models/org/${id}.gguf`, size_bytes: size, modified, validated, reason: validated ? null : 'cut off', aliases: [], integrity: 'unknown', note: null,
});
const known = (id: string, capabilities: string[]): ModelUse => ({
  id, aliases: ['best'], size_bytes: 1, capabilities, architecture: 'llama', quantization: 'Q8_0', size_label: '3B', context_length: 1,
});

const ROWS = rowsOf([file('b', 5, 1), file('a', 9, 2), file('broken', 1, 3, false)], [known('a', ['chat']), known('b', ['rerank'])]);

describe('the list of models', () => {
  it('has what is on the disk, broken or not', () => {
    expect(ROWS.map(({ id, isBroken, use: found }) => [id, isBroken, found !== null])).toEqual([['b', false, true], ['a', false, true], ['broken', true, false]]);
  });

  it('has what may be used where the disk may not be seen', () => {
    expect(rowsOf(null, [known('a', ['chat'])])).toMatchObject([{ id: 'a', aliases: ['best'], file: null, isBroken: false }]);
  });

  it.each([
    ['', 'any', ['b', 'a', 'broken']],
    ['ORG q8', 'any', ['b', 'a']],
    ['nothing', 'any', []],
    ['', 'rerank', ['b']],
    ['', 'chat', ['a']],
  ] as const)('of %j for %s leaves %j', (words, purpose, ids) => {
    expect(ROWS.filter((row) => matches(row, words, purpose)).map(({ id }) => id)).toEqual(ids);
  });

  it.each([
    ['name', ['a', 'b', 'broken']],
    ['size', ['a', 'b', 'broken']],
    ['newest', ['broken', 'a', 'b']],
  ] as const)('by %s is %j', (order, ids) => {
    expect(sorted(ROWS, order).map(({ id }) => id)).toEqual(ids);
  });
});
