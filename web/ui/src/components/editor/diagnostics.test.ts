import { Text } from '@uiw/react-codemirror';
import { describe, expect, it } from 'vitest';
import { diagnosticsOf } from './diagnostics';

const TEXT = Text.of(['models:', '  tiny:', '    n_batch: many']);

describe('marks in an editor', () => {
  it.each([
    ['a whole line', { line: 1, message: 'm' }, 0, 7],
    ['the word at a column', { line: 3, column: 5, message: 'm' }, 20, 27],
    ['a value at a column', { line: 3, column: 14, message: 'm' }, 29, 33],
    ['a line that has gone is the last one', { line: 9, message: 'm' }, 16, 33],
    ['a column behind the end is the end', { line: 1, column: 99, message: 'm' }, 7, 7],
    ['line 0 is the first', { line: 0, message: 'm' }, 0, 7],
  ])('%s', (_, mark, from, to) => {
    expect(diagnosticsOf(TEXT, [mark])).toEqual([{ from, to, severity: 'error', message: 'm' }]);
  });

  it('come in the order of the text', () => {
    const found = diagnosticsOf(TEXT, [{ line: 3, message: 'later' }, { line: 1, message: 'first', severity: 'warning' }]);
    expect(found.map((each) => each.message)).toEqual(['first', 'later']);
  });
});
