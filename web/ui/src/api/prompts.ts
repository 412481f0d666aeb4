import { useQuery } from '@tanstack/react-query';
import type { Refused } from './conversations';
import { call, send } from './http';

export type PromptKind = 'user' | 'system';

/** A text that is used again and again. Times are Unix seconds. */
export interface Prompt {
  id: string;
  object: 'kronk.prompt';
  name: string;
  text: string;
  description: string;
  /** A category's name; '' is none. */
  category: string;
  favourite: boolean;
  /** Something to say, or what a model is told before. */
  kind: PromptKind;
  uses: number;
  created: number;
  updated: number;
  /** One more with each other text. */
  version: number;
  /** Names of `{{name}}` in the text, in their order. */
  variables: string[];
}

export type PromptFields = Pick<Prompt, 'name' | 'text' | 'description' | 'category' | 'favourite' | 'kind'>;

export interface PromptVersion {
  version: number;
  text: string;
  created: number;
}

export const CATEGORY_COLORS = [
  'gray', 'red', 'pink', 'grape', 'violet', 'indigo', 'blue', 'cyan', 'teal', 'green', 'lime', 'yellow', 'orange',
] as const;
export type CategoryColor = (typeof CATEGORY_COLORS)[number];

export interface Category {
  name: string;
  color: CategoryColor;
  icon?: string;
  /** Its name until now: its prompts go with it. */
  was?: string;
}

const PATH = '/api/v1/prompts';
/** All that is known of prompts here begins with it. */
export const PROMPTS_KEY = ['prompts'] as const;

const one = (id: string) => `${PATH}/${encodeURIComponent(id)}`;
const within = (signal?: AbortSignal) => (signal === undefined ? {} : { signal });

/** All that there are, by name. */
export async function listPrompts(signal?: AbortSignal): Promise<Prompt[]> {
  const found: Prompt[] = [];
  for (;;) {
    const page = await call<{ data: Prompt[]; has_more: boolean }>(PATH, { query: { limit: 500, after: found.at(-1)?.id }, ...within(signal) });
    found.push(...page.data);
    if (!page.has_more) return found;
  }
}

export const getPrompt = (id: string, signal?: AbortSignal) => call<Prompt>(one(id), within(signal));
export const createPrompt = (body: PromptFields) => call<Prompt>(PATH, { method: 'POST', body });
/** With the `version` it was made from, a text that has been changed since is a 409. */
export const changePrompt = (id: string, body: Partial<PromptFields> & { version?: number }) => call<Prompt>(one(id), { method: 'PUT', body });
export const deletePrompt = (id: string) => call<unknown>(one(id), { method: 'DELETE' });
/** The text with the values in it; it counts as a use. */
export const fillPrompt = (id: string, variables: Record<string, string>) =>
  call<{ text: string; uses: number }>(`${one(id)}/use`, { method: 'POST', body: { variables } });
export const promptVersions = (id: string, signal?: AbortSignal) =>
  call<{ data: PromptVersion[] }>(`${one(id)}/versions`, within(signal)).then(({ data }) => data);
export const restorePrompt = (id: string, version: number) => call<Prompt>(`${one(id)}/restore`, { method: 'POST', body: { version } });
export const listCategories = (signal?: AbortSignal) => call<{ data: Category[] }>(`${PATH}/categories`, within(signal)).then(({ data }) => data);
/** Made from those of `before`; when they are others by now, it is a 409. */
export const changeCategories = (categories: readonly Category[], before: readonly Category[]) =>
  call<{ data: Category[] }>(`${PATH}/categories`, { method: 'PUT', body: { categories, before } });
export const importPrompts = (prompts: unknown[], categories: readonly unknown[]) =>
  call<{ imported: Prompt[]; refused: Refused[] }>(`${PATH}/import`, { method: 'POST', body: { prompts, categories } });
export const exportPrompts = () => send(`${PATH}/export`).then((answer) => answer.blob());

export function usePrompts() {
  return useQuery({ queryKey: [...PROMPTS_KEY, 'list'], queryFn: ({ signal }) => listPrompts(signal) });
}

export function useCategories() {
  return useQuery({ queryKey: [...PROMPTS_KEY, 'categories'], queryFn: ({ signal }) => listCategories(signal) });
}
