import { expect, test } from 'vitest';
import { estimate, fullness } from './contextUse';

test.each([
  [0, 100, 'green'],
  [69, 100, 'green'],
  [70, 100, 'yellow'],
  [89, 100, 'yellow'],
  [90, 100, 'red'],
  [200, 100, 'red'],
  [0, 0, 'red'],
])('%d of %d is %s', (tokens, window, color) => {
  expect(fullness({ tokens, window })).toBe(color);
});

test('every message counts, and so does what is attached', () => {
  expect(estimate([])).toBe(0);
  expect(estimate([{ text: 'abcd', media: 0 }])).toBeLessThan(estimate([{ text: 'abcd', media: 1 }]));
});
