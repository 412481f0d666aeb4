import { toCsv } from './csv';
import { promptOf, type Request } from './requests';

export type ItemState = 'waiting' | 'answered' | 'failed';

/** A request of a batch, with what became of it. */
export interface Item {
  /** Of the input file. */
  line: number;
  request: Request;
  state: ItemState;
  status: number | null;
  /** The answer's body, or the error's. */
  response: unknown;
  /** What went wrong, in words. */
  error: string | null;
}

interface Outcome {
  custom_id?: unknown;
  response?: { status_code?: number; body?: unknown } | null;
  error?: { code?: string; message?: string } | null;
}

/** The requests of an input, with the outcomes of the two files of results as far as they are. */
export function itemsOf(input: string, output: string, errors: string): Item[] {
  const outcomes = new Map<unknown, Outcome>();
  for (const one of [...objectsOf<Outcome>(output), ...objectsOf<Outcome>(errors)]) outcomes.set(one.value.custom_id, one.value);
  return objectsOf<Request>(input).map(({ line, value }) => itemOf(line, value, outcomes.get(value.custom_id)));
}

function itemOf(line: number, request: Request, outcome: Outcome | undefined): Item {
  if (outcome === undefined) return { line, request, state: 'waiting', status: null, response: null, error: null };
  const status = outcome.response?.status_code ?? null;
  const response = outcome.response?.body ?? outcome.error ?? null;
  const isGood = outcome.error == null && status !== null && status < 400;
  return { line, request, state: isGood ? 'answered' : 'failed', status, response, error: isGood ? null : wordsOf(outcome) };
}

function wordsOf({ response, error }: Outcome): string {
  const body = response?.body;
  const inner = typeof body === 'object' && body !== null && 'error' in body ? body.error : body;
  const told = typeof inner === 'object' && inner !== null && 'message' in inner ? inner.message : inner;
  return error?.message ?? (typeof told === 'string' ? told : JSON.stringify(told ?? response?.status_code ?? null));
}

function objectsOf<T>(text: string): { line: number; value: T }[] {
  return text.split('\n').flatMap((raw, at) => {
    if (raw.trim() === '') return [];
    try {
      const value: unknown = JSON.parse(raw);
      return typeof value === 'object' && value !== null ? [{ line: at + 1, value: value as T }] : [];
    } catch {
      // A line that was never a request is told of by the batch's own errors.
      return [];
    }
  });
}

/** What of an answer a person reads first: its text, or how many figures an embedding has. */
export function answerOf(response: unknown): string {
  const choice = at(at(response, 'choices'), 0);
  const text = at(at(choice, 'message'), 'content') ?? at(choice, 'text');
  if (typeof text === 'string') return text;
  const output = at(response, 'output');
  if (Array.isArray(output)) {
    const parts = output.flatMap((one: unknown) => {
      const content = at(one, 'content');
      return Array.isArray(content) ? content.map((part: unknown) => at(part, 'text')).filter((part) => typeof part === 'string') : [];
    });
    if (parts.length > 0) return parts.join('\n');
  }
  const vector = at(at(at(response, 'data'), 0), 'embedding');
  if (Array.isArray(vector)) return `[${vector.slice(0, 4).map((value) => Number(value).toFixed(4)).join(', ')}, … ${vector.length}]`;
  return response === null || response === undefined ? '' : JSON.stringify(response);
}

function at(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined;
}

/** Those of a state, and with the words in their request or answer. */
export function chosen(items: readonly Item[], state: ItemState | 'all', words: string): Item[] {
  const wanted = words.trim().toLowerCase();
  return items.filter(
    (item) =>
      (state === 'all' || item.state === state) &&
      (wanted === '' || [item.request.custom_id, promptOf(item.request.body), item.error ?? answerOf(item.response)].some((text) => text.toLowerCase().includes(wanted))),
  );
}

export type ExportFormat = 'json' | 'jsonl' | 'csv';

/** The items as a file. */
export function exported(items: readonly Item[], format: ExportFormat): string {
  const rows = items.map(({ request, state, status, response, error }) => ({ custom_id: request.custom_id, state, request: request.body, status, response, error }));
  switch (format) {
    case 'json':
      return `${JSON.stringify(rows, null, 2)}\n`;
    case 'jsonl':
      return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    case 'csv':
      return toCsv([
        ['custom_id', 'state', 'status', 'prompt', 'answer', 'error'],
        ...items.map(({ request, state, status, response, error }) => [
          request.custom_id,
          state,
          status === null ? '' : String(status),
          promptOf(request.body),
          state === 'answered' ? answerOf(response) : '',
          error ?? '',
        ]),
      ]);
  }
}
