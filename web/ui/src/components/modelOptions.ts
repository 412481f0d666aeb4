import type { ModelUse } from '@/api/models';

/** What a page wants a model for. */
export type Purpose = 'chat' | 'embeddings' | 'rerank' | 'vision' | 'audio' | 'tools' | 'any';

export interface ModelOption {
  /** The name that requests use: an id, or an alias. */
  value: string;
  label: string;
  /** The model an alias stands for. */
  aliasOf: string | null;
  model: ModelUse | null;
  isLoaded: boolean;
}

/** Whether a model is for that. One of which nothing is known may be. */
export function serves(model: ModelUse, purpose: Purpose): boolean {
  const able = model.capabilities;
  if (purpose === 'any' || able.length === 0) return true;
  // What only completes text answers a conversation in a general form.
  return able.includes(purpose) || (purpose === 'chat' && able.includes('completion'));
}

/** What to choose from: the loaded ones first, an alias behind its model. A chosen name that is not
 * there (any more) stays the last, so that the choice can be seen. */
export function optionsOf(models: readonly ModelUse[], loaded: ReadonlySet<string>, purpose: Purpose, chosen: string | null): ModelOption[] {
  const wanted = models.filter((model) => serves(model, purpose));
  const ranked = [...wanted].sort((one, other) => Number(loaded.has(other.id)) - Number(loaded.has(one.id)) || one.id.localeCompare(other.id));
  const options: ModelOption[] = ranked.flatMap((model) =>
    [model.id, ...model.aliases.filter((alias) => alias !== model.id)].map((name) => ({
      value: name,
      label: name,
      aliasOf: name === model.id ? null : model.id,
      model,
      isLoaded: loaded.has(model.id),
    })),
  );
  if (chosen !== null && chosen !== '' && !options.some((option) => option.value === chosen)) {
    options.push({ value: chosen, label: chosen, aliasOf: null, model: null, isLoaded: false });
  }
  return options;
}

/** The capabilities that say what a model is for, the most telling first. */
const TOLD = ['embeddings', 'rerank', 'vision', 'audio', 'tools', 'reasoning'] as const;
export type Told = (typeof TOLD)[number] | 'text';

/** In short: `text` for what does no more than write. */
export function purposesOf(capabilities: readonly string[]): Told[] {
  const found: Told[] = TOLD.filter((one) => capabilities.includes(one));
  return found.length === 0 && capabilities.includes('completion') ? ['text'] : found;
}
