import type { CatalogEntry } from '@/api/catalog';

/** How a model's files compare with what the machine gives to models; the exact verdict asks the
 * server. */
export type Guess = 'fits' | 'tight' | 'too_large' | 'unknown';

/** The context and the process need memory beside the weights; a tenth and this is a usual small one. */
const BESIDE = 400 * 2 ** 20;

export function guess(size: number | null, budget: number | null): Guess {
  if (size === null || budget === null || budget <= 0) return 'unknown';
  const needed = 1.1 * size + BESIDE;
  if (needed > budget) return 'too_large';
  return needed > 0.8 * budget ? 'tight' : 'fits';
}

/** All words must be found somewhere in what the catalog says of it. */
export function matches(entry: CatalogEntry, words: string): boolean {
  const text = [entry.id, entry.category, entry.description, entry.licence, entry.parameters, entry.quantisation, entry.folder, ...entry.capabilities].join(' ').toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export interface Filters {
  words: string;
  category: string;
  onlyFitting: boolean;
  onlyMissing: boolean;
}

export function browsed(entries: readonly CatalogEntry[], filters: Filters, budget: number | null): CatalogEntry[] {
  return entries
    .filter((entry) => filters.category === '' || entry.category === filters.category)
    .filter((entry) => !filters.onlyMissing || !entry.pulled)
    .filter((entry) => !filters.onlyFitting || guess(entry.size_bytes, budget) !== 'too_large')
    .filter((entry) => matches(entry, filters.words))
    .sort((one, other) => (one.size_bytes ?? Infinity) - (other.size_bytes ?? Infinity) || one.id.localeCompare(other.id));
}

export function categoriesOf(entries: readonly CatalogEntry[]): string[] {
  return [...new Set(entries.map((entry) => entry.category))].sort();
}

/** Whether a text can be a source: an id, `owner/repo`, an address. The server reads it fully. */
export function isSource(text: string): boolean {
  const word = text.trim();
  return word.length >= 3 && !/\s/.test(word) && !word.endsWith('/') && !word.endsWith(':') && !/^https?:\/?\/?$/.test(word);
}

/** What a repository is called: the part of a hub's source before quant and file. */
export function repositoryOf(source: string): string {
  return source.replace(/^hf:/, '').replace(/@[^@/]*$/, '').split('/').slice(0, 2).join('/').replace(/:.*$/, '');
}
