import { describe, expect, it } from 'vitest';
import { diffOf, folded } from './diff';

const SIGNS = { same: ' ', gone: '-', new: '+' };
const shown = (before: string, after: string) => diffOf(before, after).map((line) => `${SIGNS[line.kind]}${line.text}`);

describe('what became of a text', () => {
  it.each([
    ['nothing', '', '', []],
    ['the same', 'a\nb\n', 'a\nb\n', [' a', ' b']],
    ['a new text', '', 'a\n', ['+a']],
    ['all gone', 'a\n', '', ['-a']],
    ['a line in the middle', 'a\nb\nc\n', 'a\nx\nc\n', [' a', '-b', '+x', ' c']],
    ['a line more', 'a\nc\n', 'a\nb\nc\n', [' a', '+b', ' c']],
    ['lines that moved', 'a\nb\n', 'b\na\n', ['-a', ' b', '+a']],
    ['without a last line feed', 'a', 'a\n', [' a']],
  ])('%s', (_, before, after, lines) => expect(shown(before, after)).toEqual(lines));

  it('gives the numbers of lines', () => {
    expect(diffOf('a\nb\nc\n', 'a\nc\nd\n').map((line) => line.line)).toEqual([1, 2, 2, 3]);
  });
});

it('leaves out what is far from a change', () => {
  const before = Array.from({ length: 30 }, (_, at) => `line ${at}`).join('\n');
  const lines = folded(diffOf(before, before.replace('line 15', 'other')));
  expect(lines[0]).toBeNull();
  expect(lines.at(-1)).toBeNull();
  expect(lines.filter((line) => line !== null)).toHaveLength(8);
});
