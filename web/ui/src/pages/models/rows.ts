import type { ModelFile } from '@/api/modelFiles';
import type { ModelUse } from '@/api/models';
import { type Purpose, serves } from '@/components/modelOptions';

/** A model as the list shows it: what is on the disk, and what it is for. */
export interface Row {
  id: string;
  aliases: string[];
  size: number;
  file: ModelFile | null;
  use: ModelUse | null;
  isBroken: boolean;
}

/** `files` is null for who may not see the disk: then there are those that may be used. */
export function rowsOf(files: readonly ModelFile[] | null, uses: readonly ModelUse[]): Row[] {
  const byId = new Map(uses.map((use) => [use.id, use]));
  if (files === null) return uses.map((use) => ({ id: use.id, aliases: use.aliases, size: use.size_bytes, file: null, use, isBroken: false }));
  return files.map((file) => ({ id: file.id, aliases: file.aliases, size: file.size_bytes, file, use: byId.get(file.id) ?? null, isBroken: !file.validated }));
}

/** All words must be found: in its names, its path, its quantisation or its architecture. */
export function matches(row: Row, words: string, purpose: Purpose): boolean {
  if (purpose !== 'any' && (row.use === null || !serves(row.use, purpose))) return false;
  const text = [row.id, ...row.aliases, row.file?.path, row.use?.quantization, row.use?.architecture, row.use?.size_label].join(' ').toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export type Order = 'name' | 'size' | 'newest';

export function sorted(rows: readonly Row[], order: Order): Row[] {
  const byName = (one: Row, other: Row) => one.id.localeCompare(other.id);
  const compare = {
    name: byName,
    size: (one: Row, other: Row) => other.size - one.size || byName(one, other),
    newest: (one: Row, other: Row) => (other.file?.modified ?? 0) - (one.file?.modified ?? 0) || byName(one, other),
  }[order];
  return [...rows].sort(compare);
}
