/** From the JSON Schema of the model-config file to the fields of a form. */

type Alternative = {
  type?: string;
  enum?: readonly unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  items?: { type?: string; anyOf?: unknown };
};

export interface KeySchema {
  description?: string;
  default?: unknown;
  anyOf?: readonly Alternative[];
  $ref?: string;
  'x-group'?: string;
}

/** What a key is entered with. 'other' is left to the YAML. */
export type Control =
  | { kind: 'number'; isWhole: boolean; min: number | null; max: number | null }
  | { kind: 'choice'; options: readonly string[] }
  | { kind: 'text'; takesNumbers: boolean }
  | { kind: 'list'; ofNumbers: boolean }
  | { kind: 'other' };

export interface Field {
  /** As the API names it: `n_batch`, `sampling_parameters.top_k`. */
  key: string;
  group: string;
  help: string;
  control: Control;
}

const SAMPLING = 'sampling_parameters';

export function controlOf(schema: KeySchema): Control {
  const ways = (schema.anyOf ?? []).filter((way) => way.type !== 'null');
  const list = ways.find((way) => way.type === 'array');
  const isDeep = ways.some((way) => way.type === 'object') || (list !== undefined && list.items?.type === undefined);
  if (isDeep) return { kind: 'other' };
  if (list !== undefined) return { kind: 'list', ofNumbers: list.items?.type === 'number' };
  const only = ways.length === 1 ? ways[0] : undefined;
  return (only === undefined ? null : simple(only)) ?? { kind: 'text', takesNumbers: ways.some(isNumber) };
}

const isNumber = (way: Alternative) => way.type === 'integer' || way.type === 'number';

/** Of a key that takes one kind of value; null for texts. */
function simple(way: Alternative): Control | null {
  if (way.type === 'boolean') return { kind: 'choice', options: ['true', 'false'] };
  if (way.enum !== undefined) return { kind: 'choice', options: wordsOf(way.enum) };
  return isNumber(way) ? { kind: 'number', isWhole: way.type === 'integer', min: way.minimum ?? null, max: way.maximum ?? null } : null;
}

/** The usual spellings: YAML's own for off and none are left out, as they mean the same. */
function wordsOf(values: readonly unknown[]): string[] {
  return values.filter((value): value is string => typeof value === 'string' && value !== 'on' && value !== 'off');
}

export function fieldsOf(model: Record<string, KeySchema>, sampling: Record<string, KeySchema>, samplingGroup: string): Field[] {
  const own = Object.entries(model)
    .filter(([key]) => key !== SAMPLING)
    .map(([key, schema]) => ({ key, group: schema['x-group'] ?? '', help: schema.description ?? '', control: controlOf(schema) }));
  const parameters = Object.entries(sampling).map(([key, schema]) => ({
    key: `${SAMPLING}.${key}`, group: samplingGroup, help: schema.description ?? '', control: controlOf(schema),
  }));
  return [...own, ...parameters];
}

/** What was entered, as the API takes it: null leaves the key out, undefined is no value at all. */
export function entered(control: Control, text: string): unknown {
  const word = text.trim();
  if (word === '') return null;
  if (control.kind === 'number') return numberIn(word);
  if (control.kind === 'choice') return word === 'true' ? true : word === 'false' ? false : word;
  if (control.kind === 'text' && control.takesNumbers) return numberIn(word) ?? word;
  return word;
}

function numberIn(word: string): number | undefined {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word) ? Number(word) : undefined;
}

/** What keeps a value from being sent: a word of the texts, or null. */
export function faultOf(control: Control, text: string): 'notNumber' | 'notWhole' | 'tooSmall' | 'tooLarge' | null {
  if (control.kind !== 'number' || text.trim() === '') return null;
  const value = numberIn(text.trim());
  if (value === undefined) return 'notNumber';
  if (control.isWhole && !Number.isInteger(value)) return 'notWhole';
  if (control.min !== null && value < control.min) return 'tooSmall';
  if (control.max !== null && value > control.max) return 'tooLarge';
  return null;
}

/** A value as a line shows it. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'string' ? value : Array.isArray(value) && value.every((one) => typeof one !== 'object') ? value.join(', ') : JSON.stringify(value);
}

/** A key as problems may spell it, in our own spelling. */
export function sameKey(where: string, model: string, key: string): boolean {
  const plain = (name: string) => name.replaceAll('-', '_');
  const below = plain(where).slice(`models.${plain(model)}.`.length);
  return plain(where).startsWith(`models.${plain(model)}.`) && (below === key || below.startsWith(`${key}[`));
}
