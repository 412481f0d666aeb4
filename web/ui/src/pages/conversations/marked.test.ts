import { expect, it } from 'vitest';
import { marked, wordsOf } from './marked';

it.each([
  ['', []],
  ['a  b', ['a', 'b']],
  ['"two words" one', ['two words', 'one']],
  ['"open', ['open']],
])('%j has the words %j', (query, words) => {
  expect(wordsOf(query)).toEqual(words);
});

it.each([
  ['The Dog barks', '', [['The Dog barks', false]]],
  ['The Dog barks', 'dog', [['The ', false], ['Dog', true], [' barks', false]]],
  ['a.b', '.', [['a', false], ['.', true], ['b', false]]],
  ['aab', '"a a" b', [['aa', false], ['b', true]]],
])('%j is marked for %j', (text, query, pieces) => {
  expect(marked(text, query).map((piece) => [piece.text, piece.isHit])).toEqual(pieces);
});
