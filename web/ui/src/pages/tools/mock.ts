import type { Mock } from './schema';

/** Where an argument goes. */
export const PLACE = /\{\{\s*([\w-]+)\s*\}\}/g;

/** The arguments of a call; null where the model wrote no JSON object. */
export function argumentsOf(text: string): Record<string, unknown> | null {
  try {
    const found: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** What the function answers to these arguments. */
export function answerOf(mock: Mock, given: Readonly<Record<string, unknown>>): string {
  const rule = mock.rules.find(({ argument, value }) => argument in given && isLike(given[argument], value));
  return filled(rule?.answer ?? mock.answer, given);
}

/** Letters' case and spaces around do not count: models write `paris` for Paris. */
function isLike(value: unknown, wanted: string): boolean {
  return worded(value).trim().toLowerCase() === wanted.trim().toLowerCase();
}

function worded(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Whether an answer is meant to be JSON; it may also be words, which may begin with a placeholder. */
export function looksLikeJson(text: string): boolean {
  return /^\s*(?:\[|\{(?!\{))/.test(text);
}

/** `text` with the arguments in their places: within a string of JSON as its letters, elsewhere as JSON, or as they are in plain text. */
function filled(text: string, given: Readonly<Record<string, unknown>>): string {
  const isJson = looksLikeJson(text);
  return text.replace(PLACE, (place, name: string, at: number) => {
    if (!(name in given)) return place;
    const value = given[name];
    if (!isJson) return worded(value);
    return isInString(text, at) ? JSON.stringify(worded(value)).slice(1, -1) : JSON.stringify(value);
  });
}

function isInString(text: string, at: number): boolean {
  const quotes = text.slice(0, at).replace(/\\./g, '').split('"').length - 1;
  return quotes % 2 === 1;
}
