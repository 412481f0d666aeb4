import { expect, test } from 'vitest';
import { byAge } from './ages';

test('rows stand with those of their day', () => {
  const noon = new Date(2026, 10, 22, 12).getTime() / 1000;
  const hour = 3600;
  const rows = [noon, noon - 11 * hour, noon - 13 * hour, noon - 72 * hour, noon - 2000 * hour].map((updated) => ({ updated }));
  expect(byAge(rows, noon).map(({ age, members }) => [age, members.length])).toEqual([
    ['today', 2],
    ['yesterday', 1],
    ['week', 1],
    ['older', 1],
  ]);
});
