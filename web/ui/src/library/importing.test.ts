import { describe, expect, it } from 'vitest';
import { importFiles, itemsOf, parts } from './importing';

const isOne = (value: Record<string, unknown>) => 'document' in value;

describe('a file', () => {
  it.each([
    ['{"things": [1, 2]}', [1, 2]],
    ['[1]', [1]],
    ['{"document": {}}', [{ document: {} }]],
    ['{"other": []}', null],
    ['5', null],
    ['null', null],
    ['{"things"', null],
  ])('%s has %j', (text, items) => {
    expect(itemsOf(text, 'things', isOne)).toEqual(items);
  });

  it('is sent in parts that are not too large', () => {
    expect(parts([])).toEqual([]);
    expect(parts(['a', 'b', 'c'], 6)).toEqual([['a', 'b'], ['c']]);
    expect(parts(['a', 'x'.repeat(50), 'b'], 6)).toEqual([['a'], ['x'.repeat(50)], ['b']]);
    expect(parts(Array.from({ length: 1200 }, () => 0)).map((part) => part.length)).toEqual([500, 500, 200]);
  });

  it('that cannot be read, or whose part is refused, is told beside what was taken', async () => {
    const files = [new File(['{"things": [1, 2]}'], 'a.json'), new File(['x'], 'b.json'), new File(['{"things": [3]}'], 'c.json')];
    const send = (items: unknown[]) =>
      items.includes(3) ? Promise.reject(new Error('full')) : Promise.resolve({ imported: [1], refused: [{ title: 't', message: 'no' }] });
    const outcome = await importFiles(files, (text) => itemsOf(text, 'things', isOne), send, (name) => `not ${name}`);
    expect(outcome).toEqual({
      imported: 1,
      refused: [
        { title: 't', message: 'no' },
        { title: 'b.json', message: 'not b.json' },
        { title: 'c.json', message: 'full' },
      ],
    });
  });
});
