/** What the answer had to be, the request that says so, and whether the answer is it. */
import { type Violation, violations } from './validate';

export const KINDS = ['json_schema', 'json_object', 'regex', 'grammar'] as const;
export type Kind = (typeof KINDS)[number];

/** What was typed for each kind; it stays when another is looked at. */
export interface Forms {
  schema: string;
  /** The schema's name in the request. */
  name: string;
  isStrict: boolean;
  regex: string;
  grammar: string;
}

export type FormFault = 'noSchema' | 'noObject' | 'badName' | 'empty' | 'badRegex';

/** Why a form cannot be sent, with the words of the parser where it has some; null where it can. */
export function faultOf(kind: Kind, forms: Forms): { fault: FormFault; detail: string } | null {
  if (kind === 'json_schema') {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(forms.name)) return { fault: 'badName', detail: '' };
    const schema = parsed(forms.schema);
    if ('error' in schema) return { fault: 'noSchema', detail: schema.error };
    return isRecord(schema.value) ? null : { fault: 'noObject', detail: '' };
  }
  if (kind === 'regex') {
    if (forms.regex === '') return { fault: 'empty', detail: '' };
    return regexOf(forms.regex) === null ? { fault: 'badRegex', detail: '' } : null;
  }
  return kind === 'grammar' && forms.grammar.trim() === '' ? { fault: 'empty', detail: '' } : null;
}

/** The fields of the request that hold the answer to the form. */
export function fieldsOf(kind: Kind, { schema, name, isStrict, regex, grammar }: Forms): Record<string, unknown> {
  switch (kind) {
    case 'json_schema':
      return { response_format: { type: 'json_schema', json_schema: { name, strict: isStrict, schema: JSON.parse(schema) as unknown } } };
    case 'json_object':
      return { response_format: { type: 'json_object' } };
    case 'regex':
      return { regex };
    case 'grammar':
      return { grammar };
  }
}

/** What is to be said of an answer. */
export type Verdict =
  | { state: 'fits'; text: string }
  /** Nobody but the server can tell. */
  | { state: 'unknown'; text: string }
  | { state: 'unparsable'; text: string; message: string; line: number | null }
  | { state: 'wrong'; text: string; faults: (Violation & { line: number })[] };

/** `answer` against the form; JSON is set out in lines, and each fault has the line that it is in. */
export function verdictOf(kind: Kind, forms: Forms, answer: string): Verdict {
  if (kind === 'grammar') return { state: 'unknown', text: answer };
  if (kind === 'regex') {
    const fits = regexOf(forms.regex)?.test(answer);
    if (fits === undefined) return { state: 'unknown', text: answer };
    return fits ? { state: 'fits', text: answer } : { state: 'wrong', text: answer, faults: [{ path: [], keyword: 'regex', wanted: forms.regex, line: 1 }] };
  }
  const found = parsed(answer);
  if ('error' in found) return { state: 'unparsable', text: answer, message: found.error, line: lineIn(answer, found.error) };
  const schema: unknown = kind === 'json_schema' ? JSON.parse(forms.schema) : { type: 'object' };
  const text = JSON.stringify(found.value, null, 2);
  const faults = violations(schema, found.value).map((fault) => ({ ...fault, line: lineOf(found.value, fault.path) }));
  return faults.length === 0 ? { state: 'fits', text } : { state: 'wrong', text, faults };
}

/** The line, from 1, at which the part at `path` begins when `value` is written with an indent. */
export function lineOf(value: unknown, path: readonly (string | number)[]): number {
  const [name, ...rest] = path;
  if (name === undefined || typeof value !== 'object' || value === null) return 1;
  let line = 2;
  for (const [key, part] of Object.entries(value)) {
    if (key === String(name)) return line - 1 + lineOf(part, rest);
    line += linesOf(part);
  }
  return 1;
}

function linesOf(value: unknown): number {
  return JSON.stringify(value, null, 2).split('\n').length;
}

/** The line that a parser's message tells of, by line or by position. */
function lineIn(text: string, message: string): number | null {
  const line = /line (\d+)/.exec(message)?.[1];
  if (line !== undefined) return Number(line);
  const position = /position (\d+)/.exec(message)?.[1];
  return position === undefined ? null : text.slice(0, Number(position)).split('\n').length;
}

/** The whole text has to match. null where the browser cannot read the pattern, which the server may. */
function regexOf(pattern: string): RegExp | null {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    return null;
  }
}

function parsed(text: string): { value: unknown } | { error: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
