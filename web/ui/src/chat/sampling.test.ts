import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { biasText, breakersText, GROUPS, parseBias, parseBreakers, SAMPLERS, samplersOf, withSampler } from './sampling';

/** The rows of the server's own table, which its documentation is written from. */
function documented(): Map<string, { values: string; usual: string }> {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../../../docs/sampling.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)`[^|]*\| ([^|]+) \| ([^|]+) \| [^|]+ \|$/gm)];
  return new Map(rows.map(([, name = '', values = '', usual = '']) => [name, { values, usual: usual.replaceAll('`', '') }]));
}

describe('the samplers of the server', () => {
  const table = documented();

  test('are all here, and no others', () => {
    expect(Object.keys(SAMPLERS).sort()).toEqual([...table.keys()].sort());
  });

  test.each(Object.entries(SAMPLERS))('%s has its range and default', (name, sampler) => {
    const row = table.get(name)!;
    const range = / from (-?[\d.]+) to (-?[\d.]+)$/.exec(row.values);
    if (range !== null) expect([sampler.least, sampler.most]).toEqual([Number(range[1]), Number(range[2])]);
    expect(JSON.stringify(sampler.usual)).toBe(row.usual === 'none' ? 'null' : JSON.stringify(JSON.parse(row.usual)));
  });
});

test('each sampler is in one of the groups', () => {
  expect(GROUPS.flatMap(samplersOf).sort()).toEqual(Object.keys(SAMPLERS).sort());
});

test('a value is set, replaced and taken out', () => {
  expect(withSampler({ top_k: 1 }, 'temperature', 0)).toEqual({ top_k: 1, temperature: 0 });
  expect(withSampler({ top_k: 1 }, 'top_k', 2)).toEqual({ top_k: 2 });
  expect(withSampler({ top_k: 1 }, 'top_k', null)).toEqual({});
});

test.each([
  ['', {}],
  ['12: -5', { 12: -5 }],
  ['12=1.5, 99: 100;', { 12: 1.5, 99: 100 }],
  ['12: 101', null],
  ['word: 1', null],
  ['12', null],
])('"%s" is the bias %o', (text, bias) => {
  expect(parseBias(text)).toEqual(bias);
  if (bias !== null) expect(parseBias(biasText(bias))).toEqual(bias);
});

test.each([[['\n', ':', '"', '*']], [['\\n', 'a b', '\t']], [[]]])('%o is written and read again', (breakers) => {
  expect(parseBreakers(breakersText(breakers))).toEqual(breakers);
});
