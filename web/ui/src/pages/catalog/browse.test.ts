import { describe, expect, it } from 'vitest';
import type { CatalogEntry } from '@/api/catalog';
import { browsed, categoriesOf, guess, isSource, repositoryOf } from './browse';

const GIB = 2 ** 30;
const entry = (id: string, size: number | null, more: Partial<CatalogEntry> = {}): CatalogEntry => ({
  id, category: 'Text-Generation', endpoint: 'chat_completion', pulled: false, size_bytes: size, size_is_exact: true, capabilities: ['tools'], licence: 'MIT', gated: false,
  description: 'Writes code.', parameters: '3B', quantisation: 'Q8_0', context: null, web_page: null, origin: 'kronk', folder: 'o/r', files: [], config: {}, ...more,
});

const ALL = [entry('big', 40 * GIB), entry('small', GIB, { pulled: true }), entry('eye', 2 * GIB, { category: 'Image-Text-to-Text', capabilities: ['vision'] }), entry('unknown', null)];
const none = { words: '', category: '', onlyFitting: false, onlyMissing: false };

describe('the catalog', () => {
  it.each([
    [none, ['small', 'eye', 'big', 'unknown']],
    [{ ...none, words: 'CODE vision' }, ['eye']],
    [{ ...none, category: 'Image-Text-to-Text' }, ['eye']],
    [{ ...none, onlyFitting: true }, ['small', 'eye', 'unknown']],
    [{ ...none, onlyMissing: true }, ['eye', 'big', 'unknown']],
  ])('by %j shows %j, small ones first', (filters, ids) => {
    expect(browsed(ALL, filters, 8 * GIB).map(({ id }) => id)).toEqual(ids);
  });

  it('has categories', () => {
    expect(categoriesOf(ALL)).toEqual(['Image-Text-to-Text', 'Text-Generation']);
  });

  it.each([
    [GIB, 8 * GIB, 'fits'],
    [6 * GIB, 8 * GIB, 'tight'],
    [8 * GIB, 8 * GIB, 'too_large'],
    [null, 8 * GIB, 'unknown'],
    [GIB, null, 'unknown'],
  ])('%s in %s %s', (size, budget, verdict) => {
    expect(guess(size, budget)).toBe(verdict);
  });
});

describe('a source', () => {
  it.each([
    ['', false],
    ['ab', false],
    ['owner/', false],
    ['owner/repo:', false],
    ['https://', false],
    ['two words', false],
    ['owner/repo', true],
    [' Qwen3-8B-Q8_0 ', true],
    ['https://h/m.gguf', true],
  ])('%j: %s', (text, is) => {
    expect(isSource(text)).toBe(is);
  });

  it.each([
    ['hf:o/r/folder/m.gguf@0123', 'o/r'],
    ['o/r:Q4_K_M', 'o/r'],
  ])('%s is of %s', (source, repository) => {
    expect(repositoryOf(source)).toBe(repository);
  });
});
