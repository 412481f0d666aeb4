/** A line of the log: fields by name, a few of which every line has. */
export interface LogLine {
  timestamp?: string;
  level?: string;
  event: string;
  process?: string;
  request_id?: string;
  model?: string;
  [field: string]: unknown;
}

/** A line with a number that no other has, for the list. */
export interface NumberedLine {
  number: number;
  line: LogLine;
}

export const MOST_LINES = 2000;

/** Those kept after `news`, the oldest dropped. */
export function appended(kept: readonly NumberedLine[], news: readonly LogLine[]): readonly NumberedLine[] {
  if (news.length === 0) return kept;
  const first = (kept.at(-1)?.number ?? 0) + 1;
  return [...kept, ...news.map((line, place) => ({ number: first + place, line }))].slice(-MOST_LINES);
}

const COLUMNS = new Set(['timestamp', 'level', 'event', 'process']);

/** The line's other fields as one text: `model=x status=200`. */
export function factsOf(line: LogLine): string {
  return Object.entries(line)
    .filter(([name, value]) => !COLUMNS.has(name) && value !== null && value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}

/** Whether all words of `search` are somewhere in the line. */
export function fits(line: LogLine, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return true;
  const text = JSON.stringify(line).toLowerCase();
  return words.every((word) => text.includes(word));
}

/** The time of day, in the reader's zone: 12:04:05.123. */
export function timeOf(line: LogLine): string {
  const date = new Date(line.timestamp ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return '';
  const two = (part: number) => String(part).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
