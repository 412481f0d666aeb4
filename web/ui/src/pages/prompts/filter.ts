import type { Category, Prompt } from '@/api/prompts';

/** Which prompts are seen: all, a few by what they are, or those of a category (`in:name`). */
export type Shelf = 'all' | 'favourites' | 'system' | `in:${string}`;

export function shelfOf(text: string | null): Shelf {
  if (text === 'favourites' || text === 'system' || text?.startsWith('in:') === true) return text as Shelf;
  return 'all';
}

function isOn(shelf: Shelf, prompt: Prompt): boolean {
  if (shelf === 'all') return true;
  if (shelf === 'favourites') return prompt.favourite;
  if (shelf === 'system') return prompt.kind === 'system';
  return prompt.category === shelf.slice(3);
}

/** Those of the shelf that have all the words; favourites first, then what is used most. */
export function shown(prompts: readonly Prompt[], shelf: Shelf, query: string): Prompt[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter((word) => word !== '');
  return prompts
    .filter((prompt) => isOn(shelf, prompt))
    .filter(({ name, text, description, category }) => {
      const whole = `${name}\n${description}\n${category}\n${text}`.toLocaleLowerCase();
      return words.every((word) => whole.includes(word));
    })
    .sort((one, other) => Number(other.favourite) - Number(one.favourite) || other.uses - one.uses || one.name.localeCompare(other.name));
}

/** The categories that are known, and those that only prompts still name. */
export function allCategories(known: readonly Category[], prompts: readonly Prompt[]): Category[] {
  const names = new Set(known.map(({ name }) => name));
  const others = [...new Set(prompts.map(({ category }) => category))].filter((name) => name !== '' && !names.has(name)).sort();
  return [...known, ...others.map((name): Category => ({ name, color: 'gray' }))];
}
