import type { Prompt, PromptFields } from '@/api/prompts';

export const EMPTY: PromptFields = { name: '', text: '', description: '', category: '', favourite: false, kind: 'user' };
const FIELDS = ['name', 'text', 'description', 'category', 'favourite', 'kind'] as const;

export function fieldsOf({ name, text, description, category, favourite, kind }: Prompt): PromptFields {
  return { name, text, description, category, favourite, kind };
}

/** What is another in `now`. */
export function changesOf(before: PromptFields, now: PromptFields): Partial<PromptFields> {
  return Object.fromEntries(FIELDS.filter((name) => before[name] !== now[name]).map((name) => [name, now[name]]));
}

/** What was left unsaved of a prompt ('new' for one that is not kept yet), and the version it was made from. */
export interface Draft {
  fields: PromptFields;
  version: number | null;
}

const keyOf = (id: string) => `kronk.prompt:${id}`;

export function draftOf(id: string): Draft | null {
  const text = sessionStorage.getItem(keyOf(id));
  if (text === null) return null;
  try {
    const found = JSON.parse(text) as Partial<Draft>;
    return { fields: { ...EMPTY, ...found.fields }, version: found.version ?? null };
  } catch {
    return null;
  }
}

/** Keeps what is not saved, for a reload; null is nothing. */
export function keepDraft(id: string, draft: Draft | null): void {
  if (draft === null) sessionStorage.removeItem(keyOf(id));
  else sessionStorage.setItem(keyOf(id), JSON.stringify(draft));
}
