/** What the page shows of an OpenAPI document. */

export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  $ref?: string;
}

export interface Operation {
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>;
  'x-access'?: string;
}

export interface Document {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

export interface Route {
  method: string;
  path: string;
  operation: Operation;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** All routes by their tag, in the document's order; those that have all words of `search`. */
export function routesOf(document: Document, search: string): Map<string, Route[]> {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const groups = new Map<string, Route[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (!METHODS.includes(method)) continue;
      const text = `${method} ${path} ${operation.summary ?? ''} ${operation.description ?? ''}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
      const tag = operation.tags?.[0] ?? '';
      groups.set(tag, [...(groups.get(tag) ?? []), { method: method.toUpperCase(), path, operation }]);
    }
  }
  return groups;
}

/** The schema itself where it is only named. */
export function resolved(document: Document, schema: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : (document.components?.schemas?.[name] ?? schema);
}

/** A schema's type in a few words. */
export function typeOf(document: Document, schema: Schema): string {
  const real = resolved(document, schema);
  if (real.const !== undefined) return JSON.stringify(real.const);
  if (real.enum !== undefined) return real.enum.map((value) => JSON.stringify(value)).join(' | ');
  const forms = real.anyOf ?? real.oneOf;
  if (forms !== undefined) return [...new Set(forms.map((form) => typeOf(document, form)))].join(' | ');
  if (real.type === 'array') return real.items === undefined ? 'array' : `array of ${typeOf(document, real.items)}`;
  const type = Array.isArray(real.type) ? real.type.join(' | ') : (real.type ?? (real.properties === undefined ? 'any' : 'object'));
  const bounds = [real.minimum === undefined ? null : `≥ ${real.minimum}`, real.maximum === undefined ? null : `≤ ${real.maximum}`].filter((bound) => bound !== null);
  return bounds.length === 0 ? type : `${type} ${bounds.join(', ')}`;
}

/** The fields of a schema, or of what its arrays hold; none for what has no fields. */
export function fieldsOf(document: Document, schema: Schema): { name: string; schema: Schema; isRequired: boolean }[] {
  const real = resolved(document, schema);
  if (real.type === 'array' && real.items !== undefined) return fieldsOf(document, real.items);
  const forms = (real.anyOf ?? real.oneOf ?? []).map((form) => fieldsOf(document, form));
  const most = forms.sort((one, other) => other.length - one.length)[0];
  if (real.properties === undefined) return most ?? [];
  return Object.entries(real.properties).map(([name, field]) => ({ name, schema: field, isRequired: real.required?.includes(name) ?? false }));
}
