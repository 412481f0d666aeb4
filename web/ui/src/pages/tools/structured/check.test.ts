import { describe, expect, it } from 'vitest';
import { faultOf, fieldsOf, type Forms, lineOf, verdictOf } from './check';

const forms: Forms = {
  schema: '{"type": "object", "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["name"]}',
  name: 'person',
  isStrict: true,
  regex: '\\d{4}',
  grammar: 'root ::= "yes" | "no"',
};

describe('a form', () => {
  it.each([
    ['json_schema', {}, null],
    ['json_schema', { name: 'a b' }, 'badName'],
    ['json_schema', { schema: '{' }, 'noSchema'],
    ['json_schema', { schema: '[]' }, 'noObject'],
    ['json_object', { schema: '{' }, null],
    ['regex', { regex: '' }, 'empty'],
    ['regex', { regex: '(' }, 'badRegex'],
    ['grammar', { grammar: ' ' }, 'empty'],
  ] as const)('%s with %j: %s', (kind, change, fault) => {
    expect(faultOf(kind, { ...forms, ...change })?.fault ?? null).toBe(fault);
  });

  it.each([
    ['json_schema', { response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema: JSON.parse(forms.schema) as unknown } } }],
    ['json_object', { response_format: { type: 'json_object' } }],
    ['regex', { regex: '\\d{4}' }],
    ['grammar', { grammar: forms.grammar }],
  ] as const)('%s is said in the request', (kind, fields) => {
    expect(fieldsOf(kind, forms)).toEqual(fields);
  });
});

describe('an answer', () => {
  it.each([
    ['json_schema', '{"name": "A", "tags": []}', 'fits'],
    ['json_schema', 'Sure: {"name": "A"}', 'unparsable'],
    ['json_schema', '{"tags": [1]}', 'wrong'],
    ['json_object', '{}', 'fits'],
    ['json_object', '[]', 'wrong'],
    ['regex', '2026', 'fits'],
    ['regex', '20261', 'wrong'],
    ['grammar', 'yes', 'unknown'],
  ] as const)('to %s that is %s: %s', (kind, answer, state) => {
    expect(verdictOf(kind, forms, answer).state).toBe(state);
  });

  it('has its faults at their lines', () => {
    const verdict = verdictOf('json_schema', forms, '{"tags": ["a", 1]}');
    expect(verdict).toMatchObject({ faults: [{ path: [], keyword: 'required', line: 1 }, { path: ['tags', 1], keyword: 'type', line: 4 }] });
  });

  it('that ends too soon has the line where it ends', () => {
    expect(verdictOf('json_object', forms, '{\n "a": 1,\n x')).toMatchObject({ state: 'unparsable', line: 3 });
  });

  it.each([
    [[], 1],
    [['a'], 2],
    [['b'], 3],
    [['b', 'c'], 4],
    [['b', 'c', 1], 6],
    [['b', 'c', 1, 'd'], 7],
    [['e'], 11],
    [['missing'], 1],
  ])('%j is in line %i', (path, line) => {
    const value = { a: [], b: { c: [1, { d: 2 }] }, e: 'x' };
    expect(lineOf(value, path)).toBe(line);
    const name = path.at(-1);
    if (typeof name === 'string' && name !== 'missing') expect(JSON.stringify(value, null, 2).split('\n')[line - 1]).toContain(`"${name}"`);
  });
});
