/**
 * Whether a value is what a JSON schema says, and where it is not.
 *
 * By a library that interprets the schema: compilers of schemas make code at run time, which the page's policy forbids.
 */
import { type OutputUnit, Validator } from '@cfworker/json-schema';

export interface Violation {
  /** The place in the value: names and indexes from the outside. */
  path: (string | number)[];
  keyword: string;
  /** What the keyword demands, as JSON. */
  wanted: string;
}

/** Everything in which `value` is not what `schema` says; nothing for a schema that cannot be read. */
export function violations(schema: unknown, value: unknown): Violation[] {
  if (typeof schema !== 'boolean' && !isRecord(schema)) return [];
  let errors: OutputUnit[];
  try {
    errors = new Validator(schema, '2020-12', false).validate(value).errors;
  } catch {
    // A reference that leads nowhere or round in circles, a pattern that is none: the server says so.
    return [];
  }
  const found = errors.filter((error) => isOwn(error, errors)).map((error) => violationOf(error, schema, value));
  return [...new Map(found.map((one) => [JSON.stringify(one), one])).values()];
}

/** Keywords that are broken when something within them is, and say nothing of their own. */
const WRAPPERS = new Set(['properties', 'patternProperties', 'additionalProperties', 'items', 'prefixItems', 'allOf', '$ref', '$dynamicRef', 'dependentSchemas', 'if', 'unevaluatedProperties', 'unevaluatedItems']);
const CHOICES = new Set(['anyOf', 'oneOf']);

/** Whether the error is the place itself: not what leads there, and not a way that was never meant. */
function isOwn(error: OutputUnit, all: readonly OutputUnit[]): boolean {
  if (WRAPPERS.has(error.keyword) && all.some((other) => other !== error && isWithin(other, error))) return false;
  if (CHOICES.has(error.keyword) && hasDeeper(error, all)) return false;
  const isOfChoice = (other: OutputUnit) => CHOICES.has(other.keyword) && other !== error && isWithin(error, other);
  return !all.some((other) => isOfChoice(other) && error.instanceLocation === other.instanceLocation);
}

/** Whether one of the ways of a choice came further into the value: that one was meant. */
function hasDeeper(choice: OutputUnit, all: readonly OutputUnit[]): boolean {
  return all.some((other) => isWithin(other, choice) && other.instanceLocation.length > choice.instanceLocation.length);
}

function isWithin(inner: OutputUnit, outer: OutputUnit): boolean {
  const isRefusal = inner.keyword === 'false' && outer.keyword === 'additionalProperties';
  return (isRefusal || inner.keywordLocation.startsWith(outer.keywordLocation)) && inner.instanceLocation.startsWith(outer.instanceLocation);
}

/** The schema `false` is of the keyword that has it; under `additionalProperties` its place lacks that. */
function keywordOf({ keyword, keywordLocation }: OutputUnit): string {
  if (keyword !== 'false' || keywordLocation === '#') return keyword;
  return pointer(keywordLocation).findLast((name) => WRAPPERS.has(name)) ?? 'additionalProperties';
}

function violationOf(error: OutputUnit, schema: unknown, value: unknown): Violation {
  const names = pointer(error.instanceLocation);
  return { path: typed(names, value), keyword: keywordOf(error), wanted: JSON.stringify(wantedBy(error, schema)) };
}

/** What the schema demands; of a member that has to be there, its name. */
function wantedBy(error: OutputUnit, schema: unknown): unknown {
  if (error.keyword === 'required') return /"(.*)"/.exec(error.error)?.[1] ?? null;
  return pointer(error.keywordLocation).reduce<unknown>((place, name) => (typeof place === 'object' && place !== null ? (place as Record<string, unknown>)[name] : null), schema) ?? null;
}

/** The names of a JSON pointer in a URI: `#/a~1b/0`. */
function pointer(location: string): string[] {
  return location
    .replace(/^#\/?/, '')
    .split('/')
    .filter((name) => name !== '')
    .map((name) => decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Indexes of lists as numbers. */
function typed(names: readonly string[], value: unknown): Violation['path'] {
  let place = value;
  return names.map((name) => {
    const isList = Array.isArray(place);
    place = typeof place === 'object' && place !== null ? (place as Record<string, unknown>)[name] : undefined;
    return isList ? Number(name) : name;
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
