import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { call } from '@/api/http';
import type { KeySchema } from './fields';

export interface Saved {
  text: string;
  revision: string;
  modified: number;
}

export interface ConfigFile {
  path: string;
  /** Null where there is no file. */
  text: string | null;
  revision: string | null;
  modified: number | null;
  /** What it said before it was last written here. */
  previous: Saved | null;
}

export interface Written extends ConfigFile {
  reload: { changed: string[]; later: string[] } | null;
  reload_problem: string | null;
}

export interface Problem {
  severity: 'error' | 'warning';
  line: number | null;
  column: number | null;
  model: string | null;
  key: string | null;
  where: string;
  message: string;
}

export interface WrittenKey {
  value: unknown;
  line: number | null;
  /** From another map, by `<<`. */
  merged: boolean;
}

export interface ConfiguredModel {
  id: string;
  on_disk: boolean;
  configuration: Record<string, unknown>;
  origins: Record<string, string>;
  written: Record<string, WrittenKey>;
}

export interface Change {
  model: string;
  key: string;
  before: unknown;
  after: unknown;
}

export interface Check {
  valid: boolean;
  problems: Problem[];
  models: ConfiguredModel[];
  changes: Change[];
  reloaded: string[];
  load: { model: string; spec: Record<string, unknown> | null; problem: string | null } | null;
}

interface Schema {
  definitions: Record<'model' | 'sampling_parameters', { properties: Record<string, KeySchema> }>;
}

const PATH = '/v1/kronk/config';
export const FILE_KEY = ['config', 'file'] as const;

export function useConfigFile() {
  // What was read is what an edit begins with: it does not change by itself.
  return useQuery({ queryKey: FILE_KEY, queryFn: ({ signal }) => readFile(signal), staleTime: Infinity, refetchOnWindowFocus: false });
}

export const readFile = (signal?: AbortSignal) => call<ConfigFile>(`${PATH}/file`, signal ? { signal } : {});

export const writeFile = (text: string, revision: string | null) => call<Written>(`${PATH}/file`, { method: 'PUT', body: { text, revision } });

/** What the text is worth; the answer to the text before it until this one's comes. */
export function useCheck(text: string | null, model: string | null) {
  return useQuery({
    queryKey: ['config', 'check', text, model],
    queryFn: ({ signal }) => call<Check>(`${PATH}/check`, { method: 'POST', body: { text, model }, signal }),
    enabled: text !== null,
    placeholderData: keepPreviousData,
    gcTime: 30_000,
  });
}

export const editText = (text: string, model: string, key: string, value: unknown) =>
  call<{ text: string }>(`${PATH}/edit`, { method: 'POST', body: { text, model, key, value } }).then((answer) => answer.text);

export function useSchema() {
  return useQuery({ queryKey: ['config', 'schema'], queryFn: ({ signal }) => call<Schema>(`${PATH}/schema`, { signal }), staleTime: Infinity });
}
