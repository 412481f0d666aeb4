import { describe, expect, it } from 'vitest';
import type { Prompt } from '@/api/prompts';
import { allCategories, shelfOf, shown } from './filter';

function prompt(name: string, change: Partial<Prompt> = {}): Prompt {
  return {
    id: name, object: 'kronk.prompt', name, text: 'Text', description: '', category: '', favourite: false, kind: 'user', uses: 0,
    created: 1, updated: 1, version: 1, variables: [], ...change,
  };
}

const ALL = [prompt('b'), prompt('a', { category: 'Code' }), prompt('c', { favourite: true }), prompt('d', { kind: 'system', uses: 3, text: 'Be BRIEF' })];
const names = (prompts: readonly Prompt[]) => prompts.map(({ name }) => name).join('');

describe('prompts', () => {
  it('are favourites first, then what is used most, then by name', () => {
    expect(names(shown(ALL, 'all', ''))).toBe('cdab');
  });

  it.each([
    ['favourites', '', 'c'],
    ['system', '', 'd'],
    ['in:Code', '', 'a'],
    ['in:None', '', ''],
    ['all', 'brief text', ''],
    ['all', 'be brief', 'd'],
    ['all', 'CODE', 'a'],
  ] as const)('on the shelf %s with %j are %j', (shelf, query, expected) => {
    expect(names(shown(ALL, shelf, query))).toBe(expected);
  });

  it('have the categories that are known, and those they name', () => {
    const known = [{ name: 'Fun', color: 'lime' as const }];
    expect(allCategories(known, ALL)).toEqual([...known, { name: 'Code', color: 'gray' }]);
  });
});

it.each([
  [null, 'all'],
  ['x', 'all'],
  ['favourites', 'favourites'],
  ['in:A b', 'in:A b'],
])('%j is the shelf %s', (text, shelf) => {
  expect(shelfOf(text)).toBe(shelf);
});
