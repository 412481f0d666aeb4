import { expect, it } from 'vitest';
import { diffLines } from './diff';

const SIGNS = { same: ' ', gone: '-', new: '+' };
const told = (before: string, after: string) => diffLines(before, after).map(({ kind, text }) => SIGNS[kind] + text);

it.each([
  ['a', 'a', [' a']],
  ['a', 'b', ['-a', '+b']],
  ['a\nb\nc', 'a\nc', [' a', '-b', ' c']],
  ['a\nc', 'a\nb\nc', [' a', '+b', ' c']],
  ['a\nb\nc\nd', 'b\nx\nd\ne', ['-a', ' b', '-c', '+x', ' d', '+e']],
  ['', 'a', ['-', '+a']],
])('%j becomes %j', (before, after, lines) => {
  expect(told(before, after)).toEqual(lines);
});

it('keeps every line of both, however long they are', () => {
  const before = Array.from({ length: 1600 }, (_, at) => `a${at}`).join('\n');
  const after = Array.from({ length: 1600 }, (_, at) => `b${at}`).join('\n');
  const lines = diffLines(before, after);
  expect(lines.filter(({ kind }) => kind !== 'new').map(({ text }) => text).join('\n')).toBe(before);
  expect(lines.filter(({ kind }) => kind !== 'gone').map(({ text }) => text).join('\n')).toBe(after);
});
