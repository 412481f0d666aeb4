/** Files that are read in, and what becomes of what is in them. */

/** Bytes that are sent at a time; the server takes 32 MiB. */
const MOST_SENT = 8 * 1024 * 1024;
/** As many as the server takes at a time. */
const MOST_ITEMS = 500;

export interface Refusal {
  title: string | null;
  message: string;
}

export interface Outcome {
  imported: number;
  refused: Refusal[];
}

/** What a file has that is to be imported: the list under `name` of an export, or one thing alone. */
export function itemsOf(text: string, name: string, isOne: (value: Record<string, unknown>) => boolean): unknown[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (Array.isArray(value)) return value as unknown[];
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Record<string, unknown>;
  const list = fields[name];
  if (Array.isArray(list)) return list as unknown[];
  return isOne(fields) ? [fields] : null;
}

/** The items in parts of a size that can be sent; one that is larger is a part alone. */
export function parts(items: readonly unknown[], most = MOST_SENT): unknown[][] {
  const found: unknown[][] = [];
  let size = 0;
  for (const item of items) {
    const own = JSON.stringify(item).length;
    const last = found.at(-1);
    if (last === undefined || size + own > most || last.length >= MOST_ITEMS) {
      found.push([item]);
      size = own;
    } else {
      last.push(item);
      size += own;
    }
  }
  return found;
}

/** Sends all items of all files, and tells what came of them. */
export async function importFiles(
  files: readonly File[],
  read: (text: string) => unknown[] | null,
  send: (items: unknown[]) => Promise<{ imported: unknown[]; refused: readonly Refusal[] }>,
  unreadable: (file: string) => string,
): Promise<Outcome> {
  const outcome: Outcome = { imported: 0, refused: [] };
  for (const file of files) {
    const items = read(await file.text());
    if (items === null) {
      outcome.refused.push({ title: file.name, message: unreadable(file.name) });
      continue;
    }
    for (const part of parts(items)) {
      try {
        const { imported, refused } = await send(part);
        outcome.imported += imported.length;
        outcome.refused.push(...refused);
      } catch (error) {
        // What was sent before is kept; of this part nothing is.
        outcome.refused.push({ title: file.name, message: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return outcome;
}
