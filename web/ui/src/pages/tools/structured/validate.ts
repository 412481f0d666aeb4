/**
 * Whether a value is what a JSON schema says, and where it is not.
 *
 * Interprets the schema: compilers of schemas make code at run time, which the page's policy forbids. Knows the keywords
 * that servers hold answers to; `format` and what it does not know say nothing.
 */

export interface Violation {
  /** The place in the value: names and indexes from the outside. */
  path: (string | number)[];
  keyword: string;
  /** What the keyword demands, as JSON. */
  wanted: string;
}

type Schema = Record<string, unknown>;
type Path = Violation['path'];

const DEEPEST = 64;

/** Everything in which `value` is not what `schema` says. */
export function violations(schema: unknown, value: unknown): Violation[] {
  return check(schema, value, { root: schema, path: [], depth: 0 });
}

interface Place {
  root: unknown;
  path: Path;
  depth: number;
}

function check(schema: unknown, value: unknown, place: Place): Violation[] {
  if (schema === false) return [{ path: place.path, keyword: 'false', wanted: 'false' }];
  // What refers to itself without going deeper into the value would never end.
  if (!isRecord(schema) || place.depth > DEEPEST) return [];
  const found = Object.entries(schema).flatMap(([keyword, wanted]) => checkKeyword(keyword, wanted, value, schema, place));
  return found;
}

function checkKeyword(keyword: string, wanted: unknown, value: unknown, schema: Schema, place: Place): Violation[] {
  const holds = SIMPLE[keyword];
  if (holds !== undefined) return holds(wanted, value) ? [] : [violation(place, keyword, wanted)];
  return NESTED[keyword]?.(wanted, value, schema, place) ?? [];
}

function violation(place: Place, keyword: string, wanted: unknown): Violation {
  return { path: place.path, keyword, wanted: JSON.stringify(wanted) };
}

const bound = (holds: (value: number, wanted: number) => boolean) => (wanted: unknown, value: unknown) =>
  typeof value !== 'number' || typeof wanted !== 'number' || holds(value, wanted);
const size = (sizeOf: (value: unknown) => number | null, holds: (size: number, wanted: number) => boolean) => (wanted: unknown, value: unknown) => {
  const found = sizeOf(value);
  return found === null || typeof wanted !== 'number' || holds(found, wanted);
};
const lengthOf = (value: unknown) => (typeof value === 'string' ? [...value].length : null);
const itemsIn = (value: unknown) => (Array.isArray(value) ? value.length : null);
const membersIn = (value: unknown) => (isRecord(value) ? Object.keys(value).length : null);
const least = (found: number, wanted: number) => found >= wanted;
const most = (found: number, wanted: number) => found <= wanted;

/** Keywords that look at the value alone. */
const SIMPLE: Readonly<Record<string, (wanted: unknown, value: unknown) => boolean>> = {
  type: (wanted, value) => (Array.isArray(wanted) ? wanted : [wanted]).some((name) => isOfType(value, name)),
  enum: (wanted, value) => !Array.isArray(wanted) || wanted.some((one) => isSame(one, value)),
  const: (wanted, value) => isSame(wanted, value),
  minimum: bound(least),
  maximum: bound(most),
  exclusiveMinimum: bound((value, wanted) => value > wanted),
  exclusiveMaximum: bound((value, wanted) => value < wanted),
  multipleOf: bound((value, wanted) => Math.abs(value / wanted - Math.round(value / wanted)) < 1e-9),
  minLength: size(lengthOf, least),
  maxLength: size(lengthOf, most),
  minItems: size(itemsIn, least),
  maxItems: size(itemsIn, most),
  minProperties: size(membersIn, least),
  maxProperties: size(membersIn, most),
  uniqueItems: (wanted, value) => wanted !== true || !Array.isArray(value) || value.every((one, at) => value.findIndex((other) => isSame(one, other)) === at),
  pattern: (wanted, value) => typeof value !== 'string' || typeof wanted !== 'string' || matches(wanted, value),
};

type Nested = (wanted: unknown, value: unknown, schema: Schema, place: Place) => Violation[];

/** Keywords that hold schemas, and those that name members. */
const NESTED: Readonly<Record<string, Nested>> = {
  $ref: (wanted, value, _schema, place) => check(resolved(place.root, wanted), value, deeper(place)),
  allOf: (wanted, value, _schema, place) => listed(wanted).flatMap((one) => check(one, value, deeper(place))),
  anyOf: (wanted, value, _schema, place) => {
    const all = listed(wanted).map((one) => check(one, value, deeper(place)));
    return all.length === 0 || all.some((found) => found.length === 0) ? [] : nearest(all);
  },
  oneOf: (wanted, value, _schema, place) => {
    const all = listed(wanted).map((one) => check(one, value, deeper(place)));
    const fitting = all.filter((found) => found.length === 0).length;
    if (fitting === 1) return [];
    return fitting === 0 ? nearest(all) : [violation(place, 'oneOf', wanted)];
  },
  not: (wanted, value, _schema, place) => (check(wanted, value, deeper(place)).length === 0 ? [violation(place, 'not', wanted)] : []),
  required: (wanted, value, _schema, place) =>
    isRecord(value) ? listed(wanted).flatMap((name) => (typeof name === 'string' && !Object.hasOwn(value, name) ? [violation(place, 'required', name)] : [])) : [],
  properties: (wanted, value, _schema, place) =>
    isRecord(wanted) && isRecord(value)
      ? Object.entries(wanted).flatMap(([name, one]) => (Object.hasOwn(value, name) ? check(one, value[name], within(place, name)) : []))
      : [],
  patternProperties: (wanted, value, _schema, place) =>
    isRecord(wanted) && isRecord(value)
      ? Object.entries(wanted).flatMap(([pattern, one]) => Object.keys(value).flatMap((name) => (matches(pattern, name) ? check(one, value[name], within(place, name)) : [])))
      : [],
  additionalProperties: (wanted, value, schema, place) =>
    isRecord(value)
      ? others(schema, value).flatMap((name) => (wanted === false ? [violation(within(place, name), 'additionalProperties', false)] : check(wanted, value[name], within(place, name))))
      : [],
  prefixItems: (wanted, value, _schema, place) => (Array.isArray(value) ? listed(wanted).flatMap((one, at) => (at < value.length ? check(one, value[at], within(place, at)) : [])) : []),
  items: (wanted, value, schema, place) => {
    if (!Array.isArray(value)) return [];
    const first = listed(schema.prefixItems).length;
    return value.slice(first).flatMap((one, at) => check(wanted, one, within(place, first + at)));
  },
};

function deeper(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}

function within(place: Place, name: string | number): Place {
  return { ...place, path: [...place.path, name] };
}

/** Of several ways none of which fits, the one that fails the deepest inside, then the one with the fewest faults. */
function nearest(all: readonly Violation[][]): Violation[] {
  const depth = (found: readonly Violation[]) => Math.min(...found.map(({ path }) => path.length));
  return all.toSorted((one, other) => depth(other) - depth(one) || one.length - other.length)[0] ?? [];
}

/** The members that neither `properties` nor `patternProperties` speak of. */
function others(schema: Schema, value: Record<string, unknown>): string[] {
  const named = isRecord(schema.properties) ? schema.properties : {};
  const patterns = isRecord(schema.patternProperties) ? Object.keys(schema.patternProperties) : [];
  return Object.keys(value).filter((name) => !Object.hasOwn(named, name) && !patterns.some((pattern) => matches(pattern, name)));
}

/** What `#/$defs/name` stands for. */
function resolved(root: unknown, reference: unknown): unknown {
  if (typeof reference !== 'string' || !reference.startsWith('#')) return true;
  const names = reference.slice(1).split('/').slice(1);
  return names.reduce<unknown>((at, name) => {
    const key = decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~');
    return isRecord(at) ? at[key] : Array.isArray(at) ? (at as unknown[])[Number(key)] : undefined;
  }, root);
}

function isOfType(value: unknown, name: unknown): boolean {
  switch (name) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isRecord(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === name;
  }
}

function isSame(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((part, at) => isSame(part, other[at]));
  if (!isRecord(one) || !isRecord(other)) return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && isSame(one[name], other[name]));
}

/** A pattern that the browser cannot read says nothing. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    return true;
  }
}

function listed(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
