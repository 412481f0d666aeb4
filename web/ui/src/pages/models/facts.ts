/** What a file's header says, made readable. */

import { figure, plain } from '@/text/format';

type Row = Record<string, unknown>;

/** Shown in tables of their own. */
const APART = new Set(['tensor_types', 'special_tokens']);

export function entriesOf(file: Row): [string, unknown][] {
  return Object.entries(file).filter(([key]) => !APART.has(key));
}

export function tensorsOf(file: Row): { kind: string; tensors: number; size: number }[] {
  return Object.entries((file.tensor_types ?? {}) as Record<string, { tensors: number; bytes: number }>).map(([kind, { tensors, bytes }]) => ({ kind, tensors, size: bytes }));
}

export function tokensOf(file: Row): { name: string; id: number; text: string | null }[] {
  return Object.entries((file.special_tokens ?? {}) as Record<string, { id: number; text: string | null }>).map(([name, { id, text }]) => ({ name, id, text }));
}

/** A value of JSON for people: numbers grouped, lists by commas, the rest as JSON. */
export function written(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? '✓' : '✗';
  if (typeof value === 'number') return Number.isInteger(value) ? figure(value) : plain(value);
  if (Array.isArray(value)) return value.length === 0 ? '–' : value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : written(one))).join(', ');
  return Object.keys(value).length === 0 ? '–' : JSON.stringify(value);
}

/** Where a value of the configuration is from, in a few kinds. */
export type OriginKind = 'default' | 'catalog' | 'preset' | 'file' | 'other';

export function originKind(origin: string): OriginKind {
  const word = origin.split(/[\s:]/)[0] ?? '';
  return (['default', 'catalog', 'preset', 'file'] as const).find((one) => one === word) ?? 'other';
}

export interface Setting {
  key: string;
  value: unknown;
  origin: string;
}

/** The keys whose name or value has the words; of `own` only what somebody has set. */
export function settingsOf(configuration: Row, origins: Record<string, string>, words: string, own: boolean): Setting[] {
  const wanted = words.toLowerCase().trim();
  return Object.entries(configuration)
    .map(([key, value]) => ({ key, value, origin: origins[key] ?? 'default' }))
    .filter(({ origin }) => !own || originKind(origin) !== 'default')
    .filter(({ key, value, origin }) => `${key} ${written(value)} ${origin}`.toLowerCase().includes(wanted));
}
