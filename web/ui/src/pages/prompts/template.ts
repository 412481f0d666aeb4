/** Prompts with holes, as the server reads them (`gateway/library/templates.py`). */

const VARIABLE = /\{\{\s*([\p{L}_][\p{L}\p{M}\p{N}_ .-]{0,62}?)\s*\}\}/gu;

/** The names of the variables, in the order in which they are met first. */
export function variablesOf(text: string): string[] {
  return [...new Set([...text.matchAll(VARIABLE)].map(([, name]) => name ?? ''))];
}

/** A piece of a prompt: words, or a variable with its value, where it has one. */
export interface Piece {
  text: string;
  /** Null for words. */
  variable: string | null;
}

/** The text in pieces, with the values that there are. */
export function piecesOf(text: string, values: Readonly<Record<string, string>> = {}): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(VARIABLE)) {
    const name = match[1] ?? '';
    if (match.index > at) found.push({ text: text.slice(at, match.index), variable: null });
    const value = values[name];
    found.push({ text: value === undefined || value === '' ? match[0] : value, variable: name });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ text: text.slice(at), variable: null });
  return found;
}
