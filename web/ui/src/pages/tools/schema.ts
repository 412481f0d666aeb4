/** Functions as the builder holds them, and as OpenAI's `tools` have them. */

export const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array'] as const;
export type ParameterType = (typeof TYPES)[number];

export interface Parameter {
  /** Its own among all parameters; stays when the name changes. */
  key: string;
  name: string;
  type: ParameterType;
  description: string;
  isRequired: boolean;
  /** What it may be, as texts; none for anything. Of texts and numbers. */
  choices: string[];
  /** Of an object. */
  members: Parameter[];
  /** Of an array. */
  item: Parameter | null;
  /** Keywords of JSON Schema that the builder does not know; they stay as they were. */
  extra: Record<string, unknown>;
}

/** What a function answers where nothing runs it. */
export interface Mock {
  /** Each answers when the argument is so; the first that fits counts. */
  rules: { key: string; argument: string; value: string; answer: string }[];
  /** What is answered otherwise; `{{city}}` becomes the argument. */
  answer: string;
}

export interface ToolDraft {
  key: string;
  name: string;
  description: string;
  parameters: Parameter[];
  isStrict: boolean;
  /** Whether requests offer it. */
  isOn: boolean;
  mock: Mock;
}

export interface ToolSchema {
  type: 'function';
  function: { name: string; description?: string; parameters: Record<string, unknown>; strict?: boolean };
}

export function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(2)).reduce((text, part) => text + part.toString(36), 'k');
}

export function newParameter(change: Partial<Parameter> = {}): Parameter {
  return { key: newKey(), name: '', type: 'string', description: '', isRequired: false, choices: [], members: [], item: null, extra: {}, ...change };
}

export function newTool(change: Partial<ToolDraft> = {}): ToolDraft {
  return { key: newKey(), name: '', description: '', parameters: [], isStrict: false, isOn: true, mock: { rules: [], answer: '{"ok": true}' }, ...change };
}

/** The function in OpenAI's form. */
export function schemaOf(tool: ToolDraft): ToolSchema {
  return {
    type: 'function',
    function: {
      name: tool.name,
      ...(tool.description !== '' && { description: tool.description }),
      parameters: objectOf(tool.parameters, tool.isStrict),
      ...(tool.isStrict && { strict: true }),
    },
  };
}

function objectOf(members: readonly Parameter[], isStrict: boolean): Record<string, unknown> {
  const required = members.filter((member) => member.isRequired || isStrict).map((member) => member.name);
  return {
    type: 'object',
    properties: Object.fromEntries(members.map((member) => [member.name, valueOf(member, isStrict)])),
    ...(required.length > 0 && { required }),
    ...(isStrict && { additionalProperties: false }),
  };
}

function valueOf(parameter: Parameter, isStrict: boolean): Record<string, unknown> {
  const { type, description, choices, members, item, extra } = parameter;
  return {
    ...extra,
    ...(type === 'object' ? objectOf(members, isStrict) : { type }),
    ...(description !== '' && { description }),
    ...(type === 'array' && { items: valueOf(item ?? newParameter(), isStrict) }),
    ...(hasChoices(type) && choices.length > 0 && { enum: choices.map((choice) => (type === 'string' ? choice : Number(choice))) }),
  };
}

export function hasChoices(type: ParameterType): boolean {
  return type === 'string' || type === 'number' || type === 'integer';
}

/** The functions in a text that was exported, or copied from a program: a list of tools, one, or a request with some. Throws Error. */
export function toolsFrom(text: string): ToolDraft[] {
  const found: unknown = JSON.parse(text);
  const inside = isRecord(found) && Array.isArray(found.tools) ? (found.tools as unknown[]) : found;
  return (Array.isArray(inside) ? (inside as unknown[]) : [inside]).map(toolFrom);
}

function toolFrom(value: unknown): ToolDraft {
  const outer = isRecord(value) ? value : {};
  const inner = isRecord(outer.function) ? outer.function : outer;
  if (typeof inner.name !== 'string') throw new Error('A function has no name.');
  const parameters = inner.parameters ?? inner.input_schema;
  return newTool({
    name: inner.name,
    description: textOf(inner.description),
    parameters: isRecord(parameters) ? membersFrom(parameters) : [],
    isStrict: inner.strict === true,
    ...(isMock(outer.mock) && { mock: { answer: outer.mock.answer, rules: outer.mock.rules.map((rule) => ({ ...rule, key: newKey() })) } }),
  });
}

function isMock(value: unknown): value is Mock {
  return isRecord(value) && typeof value.answer === 'string' && Array.isArray(value.rules) && value.rules.every(isRule);
}

function isRule(value: unknown): boolean {
  return isRecord(value) && [value.argument, value.value, value.answer].every((part) => typeof part === 'string');
}

function membersFrom(schema: Record<string, unknown>): Parameter[] {
  const required = Array.isArray(schema.required) ? (schema.required as unknown[]) : [];
  const properties = isRecord(schema.properties) ? schema.properties : {};
  return Object.entries(properties).map(([name, value]) => ({ ...parameterFrom(value), name, isRequired: required.includes(name) }));
}

const KNOWN = new Set(['type', 'description', 'enum', 'items', 'properties', 'required', 'additionalProperties']);

function parameterFrom(value: unknown): Parameter {
  const schema = isRecord(value) ? value : {};
  const type = TYPES.find((name) => name === schema.type) ?? 'string';
  const choices = Array.isArray(schema.enum) ? (schema.enum as unknown[]).map(String) : [];
  return newParameter({
    type,
    description: textOf(schema.description),
    choices,
    members: type === 'object' ? membersFrom(schema) : [],
    item: type === 'array' ? parameterFrom(schema.items) : null,
    extra: Object.fromEntries(Object.entries(schema).filter(([name]) => !KNOWN.has(name))),
  });
}

/** What is kept in a file: the schemas, with what they answer beside them. */
export function exported(tools: readonly ToolDraft[]): string {
  const rows = tools.map((tool) => ({
    ...schemaOf(tool),
    mock: { answer: tool.mock.answer, rules: tool.mock.rules.map(({ argument, value, answer }) => ({ argument, value, answer })) },
  }));
  return JSON.stringify({ tools: rows }, null, 2);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
