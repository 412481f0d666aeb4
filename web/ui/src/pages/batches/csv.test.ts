import { describe, expect, it } from 'vitest';
import { parseCsv, separatorOf, toCsv } from './csv';

const cells = (text: string) => parseCsv(text).rows.map((row) => row.cells);

describe('CSV', () => {
  it.each([
    ['a,b\nc,d\n', [['a', 'b'], ['c', 'd']]],
    ['a,b\r\nc,d', [['a', 'b'], ['c', 'd']]],
    ['a,b\rc,d\r', [['a', 'b'], ['c', 'd']]],
    ['\uFEFFa;b\n1;2', [['a', 'b'], ['1', '2']]],
    ['a\tb', [['a', 'b']]],
    ['"a ""b"", c",d', [['a "b", c', 'd']]],
    ['"first\r\nsecond",x\n', [['first\r\nsecond', 'x']]],
    ['a,\n\n,b', [['a', ''], ['', 'b']]],
    ['it"s,b', [['it"s', 'b']]],
    ['', []],
  ])('reads %j', (text, expected) => {
    expect(cells(text)).toEqual(expected);
  });

  it('knows the line that each row begins on', () => {
    const { rows } = parseCsv('prompt\n"one\ntwo"\n\nthree\r\nfour');
    expect(rows.map(({ line, cells: [first] }) => [line, first])).toEqual([
      [1, 'prompt'],
      [2, 'one\ntwo'],
      [5, 'three'],
      [6, 'four'],
    ]);
  });

  it('tells where a quote is not closed', () => {
    expect(parseCsv('a,b\nc,"d\ne,f').unclosed).toBe(2);
    expect(parseCsv('a,"b"').unclosed).toBeNull();
  });

  it('does not take separators in quotes for the separator', () => {
    expect(separatorOf('"a,b,c";d\n')).toBe(';');
  });

  it.each([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@cmd', "'@cmd"],
    ['\tx', "'\tx"],
  ])('writes %j as %j', (text, written) => {
    expect(toCsv([[text]])).toBe(`${written}\r\n`);
  });

  it('reads what it has written', () => {
    const rows = [['a', 'b "c"'], ['x,y', 'one\r\ntwo'], ['', 'z']];
    expect(cells(toCsv(rows))).toEqual(rows);
  });
});
