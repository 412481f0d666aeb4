import { describe, expect, it } from 'vitest';
import { violations } from './validate';

const person = {
  type: 'object',
  properties: { name: { type: 'string', minLength: 1 }, age: { type: 'integer', minimum: 0 }, tags: { type: 'array', items: { enum: ['a', 'b'] }, uniqueItems: true } },
  required: ['name', 'age'],
  additionalProperties: false,
};
const tree = { $ref: '#/$defs/node', $defs: { node: { type: 'object', properties: { value: { type: 'number' }, next: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/node' }] } }, required: ['value'] } } };

function said(schema: unknown, value: unknown): string[] {
  return violations(schema, value).map(({ path, keyword }) => `${path.join('.')} ${keyword}`.trim());
}

describe('a value and a schema', () => {
  it.each([
    ['fits', person, { name: 'A', age: 3, tags: ['a', 'b'] }, []],
    ['lacks a member', person, { name: 'A' }, ['required']],
    ['has one too many', person, { name: 'A', age: 3, x: 1 }, ['x additionalProperties']],
    ['has wrong types inside', person, { name: 1, age: 1.5 }, ['name type', 'age type']],
    ['has several faults', person, { name: '', age: -1, tags: ['a', 'c', 'a'] }, ['name minLength', 'age minimum', 'tags.1 enum', 'tags uniqueItems']],
    ['is no object', person, [], ['type']],
    ['is as deep as it likes', tree, { value: 1, next: { value: 2, next: null } }, []],
    ['is wrong in the depth', tree, { value: 1, next: { value: 'x', next: null } }, ['next.value type']],
    ['refers to itself', { $ref: '#' }, 1, []],
    ['may be of two types', { type: ['string', 'null'] }, null, []],
    ['fits one too many', { oneOf: [{ type: 'number' }, { type: 'integer' }] }, 1, ['oneOf']],
    ['fits all of some', { allOf: [{ minimum: 1 }, { maximum: 3 }] }, 4, ['maximum']],
    ['must not be', { not: { const: 1 } }, 1, ['not']],
    ['has places of their own', { prefixItems: [{ type: 'string' }], items: { type: 'number' } }, [1, 2, 'x'], ['0 type', '2 type']],
    ['has names by a pattern', { patternProperties: { '^n_': { type: 'number' } }, additionalProperties: { type: 'string' } }, { n_a: 'x', b: 1 }, ['n_a type', 'b type']],
    ['is a constant object', { const: { a: [1, { b: 2 }] } }, { a: [1, { b: 2 }] }, []],
    ['is in steps', { multipleOf: 0.1 }, 0.3, []],
    ['has a pattern', { pattern: '^\\d{4}$' }, '12', ['pattern']],
    ['has a pattern that nobody can read', { pattern: '(' }, '12', []],
    ['is nothing', false, 1, ['false']],
    ['is anything', true, 1, []],
  ])('%s', (_what, schema, value, faults) => {
    expect(said(schema, value)).toEqual(faults);
  });
});
