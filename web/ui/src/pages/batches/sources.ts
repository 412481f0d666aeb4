import { type CsvRow, parseCsv } from './csv';

export const FORMATS = ['text', 'csv', 'json', 'jsonl'] as const;
export type Format = (typeof FORMATS)[number];

/** One request as it stands in what was pasted: a prompt, or a body that is sent as it is. */
export interface Source {
  /** Of the text, from 1; of JSON the element's place. */
  line: number;
  prompt: string | null;
  body: Record<string, unknown> | null;
  customId: string | null;
  url: string | null;
}

export type ProblemKind =
  | 'json' | 'array' | 'object' | 'prompt' | 'empty' | 'quote' | 'column' | 'custom_id' | 'duplicate' | 'url' | 'method' | 'body' | 'model' | 'models' | 'many' | 'messages';

export interface Problem {
  /** Null where it is about all of it. */
  line: number | null;
  kind: ProblemKind;
  detail: string;
}

export interface Parsed {
  items: Source[];
  problems: Problem[];
}

export interface CsvChoice {
  /** The column's name, or its number from 1 where there is no heading. */
  column: string | null;
  hasHead: boolean;
}

const PROMPTS = ['prompt', 'input', 'text', 'question', 'content'] as const;

/** The format that a file's name, or else its text, speaks for. */
export function formatOf(name: string, text: string): Format {
  const ending = /\.(\w+)$/.exec(name.toLowerCase())?.[1];
  if (ending === 'csv' || ending === 'tsv') return 'csv';
  if (ending === 'jsonl' || ending === 'ndjson') return 'jsonl';
  if (ending === 'json') return 'json';
  const start = text.trimStart().charAt(0);
  return start === '[' ? 'json' : start === '{' ? 'jsonl' : 'text';
}

/** The requests in `text`, and what is wrong with which line. */
export function parse(format: Format, text: string, csv: CsvChoice): Parsed {
  const source = text.replace(/^\uFEFF/, '');
  switch (format) {
    case 'text':
      return fromText(source);
    case 'csv':
      return fromCsv(source, csv);
    case 'json':
      return fromJson(source);
    case 'jsonl':
      return fromJsonLines(source);
  }
}

/** The names to choose a column by. */
export function columnsOf(text: string, hasHead: boolean): string[] {
  const first = parseCsv(text).rows[0]?.cells ?? [];
  return first.map((cell, at) => (hasHead && cell.trim() !== '' ? cell.trim() : String(at + 1)));
}

/** The column that most likely has the prompts. */
export function likelyColumn(columns: readonly string[]): string | null {
  return columns.find((name) => (PROMPTS as readonly string[]).includes(name.toLowerCase())) ?? columns[0] ?? null;
}

function fromText(text: string): Parsed {
  const lines = text.split(/\r\n|\n|\r/);
  const items = lines.map((prompt, at) => ofPrompt(at + 1, prompt.trim())).filter(({ prompt }) => prompt !== '');
  return { items, problems: [] };
}

function fromCsv(text: string, { column, hasHead }: CsvChoice): Parsed {
  const { rows, unclosed } = parseCsv(text);
  const problems: Problem[] = unclosed === null ? [] : [{ line: unclosed, kind: 'quote', detail: '' }];
  const columns = columnsOf(text, hasHead);
  const place = columns.indexOf(column ?? '');
  if (rows.length > 0 && place < 0) return { items: [], problems: [...problems, { line: 1, kind: 'column', detail: column ?? '' }] };
  const ids = hasHead ? columns.findIndex((name, at) => at !== place && name.toLowerCase() === 'custom_id') : -1;
  const found = (hasHead ? rows.slice(1) : rows).map((row) => ofRow(row, place, ids, column ?? ''));
  const { items, problems: others } = collected(found);
  return { items, problems: [...problems, ...others] };
}

function ofRow({ line, cells }: CsvRow, place: number, ids: number, column: string): Source | Problem {
  const prompt = cells[place]?.trim() ?? '';
  const customId = cells[ids]?.trim() ?? '';
  return prompt === '' ? { line, kind: 'empty', detail: column } : { ...ofPrompt(line, prompt), customId: customId === '' ? null : customId };
}

function fromJson(text: string): Parsed {
  if (text.trim() === '') return { items: [], problems: [] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { items: [], problems: [{ line: null, kind: 'json', detail: wordsOf(error) }] };
  }
  if (!Array.isArray(value)) return { items: [], problems: [{ line: null, kind: 'array', detail: '' }] };
  return collected(value.map((one, at) => ofValue(at + 1, one)));
}

function fromJsonLines(text: string): Parsed {
  const lines = text.split(/\r\n|\n|\r/);
  return collected(
    lines.flatMap((raw, at) => {
      if (raw.trim() === '') return [];
      try {
        return [ofValue(at + 1, JSON.parse(raw))];
      } catch (error) {
        return [{ line: at + 1, kind: 'json', detail: wordsOf(error) } satisfies Problem];
      }
    }),
  );
}

function collected(found: readonly (Source | Problem)[]): Parsed {
  const items = found.filter((one): one is Source => !('kind' in one));
  return { items, problems: found.filter((one): one is Problem => 'kind' in one) };
}

/** A prompt, an object with one, a conversation, or a line of a batch as OpenAI has it. */
function ofValue(line: number, value: unknown): Source | Problem {
  if (typeof value === 'string') return value.trim() === '' ? { line, kind: 'empty', detail: '' } : ofPrompt(line, value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { line, kind: 'object', detail: '' };
  const found = value as Record<string, unknown>;
  const id = found.custom_id;
  if (id !== undefined && (typeof id !== 'string' || id === '')) return { line, kind: 'custom_id', detail: '' };
  const customId = id ?? null;
  if ('body' in found) return ofRequest(line, found, customId);
  if (Array.isArray(found.messages)) {
    const body = Object.fromEntries(Object.entries(found).filter(([name]) => name !== 'custom_id'));
    return { line, prompt: null, body, customId, url: null };
  }
  const prompt = PROMPTS.map((name) => found[name]).find((one) => typeof one === 'string');
  if (typeof prompt !== 'string') return { line, kind: 'prompt', detail: PROMPTS.join(', ') };
  return prompt.trim() === '' ? { line, kind: 'empty', detail: '' } : { ...ofPrompt(line, prompt), customId };
}

function ofRequest(line: number, found: Record<string, unknown>, customId: string | null): Source | Problem {
  const { body, url, method } = found;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { line, kind: 'body', detail: '' };
  if (url !== undefined && typeof url !== 'string') return { line, kind: 'url', detail: JSON.stringify(url) };
  if (method !== undefined && method !== 'POST') return { line, kind: 'method', detail: JSON.stringify(method) };
  return { line, prompt: null, body: body as Record<string, unknown>, customId, url: url ?? null };
}

function ofPrompt(line: number, prompt: string): Source {
  return { line, prompt, body: null, customId: null, url: null };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
