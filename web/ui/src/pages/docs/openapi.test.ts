import { describe, expect, it } from 'vitest';
import { type Document, fieldsOf, routesOf, type Schema, typeOf } from './openapi';

const DOCUMENT: Document = {
  paths: {
    '/v1/models': { get: { tags: ['OpenAI'], summary: 'List models' }, parameters: {} },
    '/v1/kronk/ps': { get: { tags: ['Kronk'], summary: 'Running' }, post: { tags: ['Kronk'] } },
  },
  components: { schemas: { Model: { type: 'object', properties: { id: { type: 'string' }, self: { $ref: '#/components/schemas/Model' } }, required: ['id'] } } },
};

describe('the routes of the API', () => {
  it('are in groups, and found by their words', () => {
    expect([...routesOf(DOCUMENT, '').entries()].map(([tag, routes]) => [tag, routes.length])).toEqual([['OpenAI', 1], ['Kronk', 2]]);
    expect([...routesOf(DOCUMENT, 'get RUNNING').values()].flat().map(({ path }) => path)).toEqual(['/v1/kronk/ps']);
  });

  it.each<[Schema, string]>([
    [{ type: 'string' }, 'string'],
    [{ type: ['string', 'null'] }, 'string | null'],
    [{ anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }] }, 'number ≥ 0 | null'],
    [{ enum: ['a', 1] }, '"a" | 1'],
    [{ type: 'array', items: { $ref: '#/components/schemas/Model' } }, 'array of object'],
    [{ const: 'list' }, '"list"'],
    [{}, 'any'],
  ])('say %j as %s', (schema, said) => {
    expect(typeOf(DOCUMENT, schema)).toBe(said);
  });

  it('have the fields of what an array holds', () => {
    const fields = fieldsOf(DOCUMENT, { type: 'array', items: { $ref: '#/components/schemas/Model' } });
    expect(fields.map(({ name, isRequired }) => [name, isRequired])).toEqual([['id', true], ['self', false]]);
    expect(fieldsOf(DOCUMENT, { type: 'string' })).toEqual([]);
  });
});
