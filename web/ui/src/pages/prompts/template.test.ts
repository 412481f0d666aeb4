import { expect, it } from 'vitest';
import { piecesOf, variablesOf } from './template';

it.each([
  ['', []],
  ['Hello, {{name}}!', ['name']],
  ['{{ b }} {{a}} {{b}}', ['b', 'a']],
  ['{{Größe}} {{two words}} {{a.b-c_1}}', ['Größe', 'two words', 'a.b-c_1']],
  ['{"a": {"b": {}}} {{}} {{ }} {{1a}} {{#if x}} {{a\nb}}', []],
  ['{{{name}}}', ['name']],
])('%j has the variables %j', (text, names) => {
  expect(variablesOf(text)).toEqual(names);
});

it('is put together of words and values, in which nothing is replaced', () => {
  const pieces = piecesOf('a {{x}} b {{y}}', { x: '{{y}}', y: '' });
  expect(pieces).toEqual([
    { text: 'a ', variable: null },
    { text: '{{y}}', variable: 'x' },
    { text: ' b ', variable: null },
    { text: '{{y}}', variable: 'y' },
  ]);
  expect(piecesOf('')).toEqual([]);
});
