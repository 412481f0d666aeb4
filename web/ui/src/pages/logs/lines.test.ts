import { describe, expect, it } from 'vitest';
import { appended, factsOf, fits, type LogLine, MOST_LINES } from './lines';

const LINE: LogLine = { timestamp: '2026-01-02T03:04:05Z', level: 'info', event: 'lease granted', process: 'supervisor', model: 'Tiny', waited: 0.25, by: null };

describe('lines of the log', () => {
  it('numbers what it appends, and drops the oldest', () => {
    const some = appended([], [LINE, LINE]);
    expect(some.map(({ number }) => number)).toEqual([1, 2]);
    const many = appended(some, Array.from({ length: MOST_LINES }, () => LINE));
    expect(many).toHaveLength(MOST_LINES);
    expect(many.at(-1)?.number).toBe(MOST_LINES + 2);
    expect(appended(many, [])).toBe(many);
  });

  it('tells what no column has, without what is not there', () => {
    expect(factsOf(LINE)).toBe('model=Tiny waited=0.25');
  });

  it.each([
    ['', true],
    ['LEASE tiny', true],
    ['lease other', false],
    ['waited', true],
  ])('finds every word of %j: %s', (search, found) => {
    expect(fits(LINE, search)).toBe(found);
  });
});
