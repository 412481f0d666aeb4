import { describe, expect, it } from 'vitest';
import { EXAMPLES } from './examples';
import { faultsOf } from './faults';
import { exported, newParameter, newTool, schemaOf, toolsFrom } from './schema';

const text = (name: string, change = {}) => newParameter({ name, ...change });

describe('the schema of a function', () => {
  it.each([
    ['nothing', [], { type: 'object', properties: {} }],
    ['a required text', [text('a', { isRequired: true, description: 'A' })], { type: 'object', properties: { a: { type: 'string', description: 'A' } }, required: ['a'] }],
    ['choices of texts', [text('a', { choices: ['x', '1'] })], { type: 'object', properties: { a: { type: 'string', enum: ['x', '1'] } } }],
    ['choices of numbers', [text('a', { type: 'integer', choices: ['1', '2'] })], { type: 'object', properties: { a: { type: 'integer', enum: [1, 2] } } }],
    ['choices that a type has not', [text('a', { type: 'boolean', choices: ['x'] })], { type: 'object', properties: { a: { type: 'boolean' } } }],
    [
      'a list of objects',
      [text('a', { type: 'array', item: newParameter({ type: 'object', members: [text('b', { type: 'number', isRequired: true })] }) })],
      { type: 'object', properties: { a: { type: 'array', items: { type: 'object', properties: { b: { type: 'number' } }, required: ['b'] } } } },
    ],
    ['a list of nobody knows what', [text('a', { type: 'array' })], { type: 'object', properties: { a: { type: 'array', items: { type: 'string' } } } }],
    ['keywords that the builder does not know', [text('a', { extra: { format: 'date' } })], { type: 'object', properties: { a: { format: 'date', type: 'string' } } }],
  ])('has %s', (_what, parameters, schema) => {
    expect(schemaOf(newTool({ name: 'f', parameters })).function.parameters).toEqual(schema);
  });

  it('is strict in all its depth', () => {
    const tool = newTool({ name: 'f', isStrict: true, parameters: [text('a', { type: 'object', members: [text('b')] })] });
    const inner = { type: 'object', properties: { b: { type: 'string' } }, required: ['b'], additionalProperties: false };
    expect(schemaOf(tool).function).toEqual({
      name: 'f',
      strict: true,
      parameters: { type: 'object', properties: { a: inner }, required: ['a'], additionalProperties: false },
    });
  });

  it.each(Object.entries(EXAMPLES))('of the example %s comes back from a file, with what it answers', (_name, make) => {
    const tool = make();
    const back = toolsFrom(exported([tool]));
    expect(back.map(schemaOf)).toEqual([schemaOf(tool)]);
    expect(back[0]?.mock.answer).toBe(tool.mock.answer);
    expect(back[0]?.mock.rules.map(({ value }) => value)).toEqual(tool.mock.rules.map(({ value }) => value));
    expect(faultsOf(tool, [])).toEqual({});
  });

  it.each([
    ['one function', '{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}', 'f'],
    ['Anthropic’s form', '[{"name": "f", "input_schema": {"properties": {"a": {"type": "integer"}}}}]', 'f'],
    ['a request', '{"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}}}}]}', 'f'],
  ])('is read from %s', (_what, source, name) => {
    const [tool] = toolsFrom(source);
    expect(tool?.name).toBe(name);
    expect(tool?.parameters.map(({ name: parameter, type }) => [parameter, type])).toEqual([['a', 'integer']]);
  });

  it.each(['', '{}', '[1]', '{"tools": [{}]}'])('is not read from %s', (source) => {
    expect(() => toolsFrom(source)).toThrow();
  });
});

describe('what is wrong with a function', () => {
  const named = { ...newTool({ name: 'f' }), key: 't' };
  const parameter = (name: string, change = {}) => ({ ...text(name, change), key: `p${name}` });
  it.each([
    ['no name', { ...named, name: '' }, { 't.name': 'missing' }],
    ['a name with a space', { ...named, name: 'a b' }, { 't.name': 'badName' }],
    ['a name too long', { ...named, name: 'a'.repeat(65) }, { 't.name': 'badName' }],
    ['a name that another has', { ...named, name: 'other' }, { 't.name': 'twice' }],
    ['a parameter without a name', { ...named, parameters: [parameter('')] }, { 'p.name': 'missing' }],
    ['two parameters of a name', { ...named, parameters: [parameter('a'), { ...parameter('a'), key: 'p2' }] }, { 'p2.name': 'twice' }],
    ['choices that are no whole numbers', { ...named, parameters: [parameter('a', { type: 'integer', choices: ['1.5'] })] }, { 'pa.choices': 'badChoice' }],
    ['an object without members', { ...named, parameters: [parameter('a', { type: 'object' })] }, { 'pa.members': 'noMembers' }],
    ['a mock that is no JSON', { ...named, mock: { rules: [], answer: '{"a": ' } }, { 't.answer': 'badJson' }],
    ['a mock with a placeholder', { ...named, mock: { rules: [], answer: '{"a": {{a}}, "b": "{{b}} c"}' } }, {}],
    ['a mock in words', { ...named, mock: { rules: [], answer: 'It rains.' } }, {}],
    ['a rule without an argument', { ...named, mock: { rules: [{ key: 'r', argument: '', value: '', answer: '1' }], answer: '1' } }, { 'r.argument': 'missing' }],
  ])('%s', (_what, tool, faults) => {
    expect(faultsOf(tool, ['other'])).toEqual(faults);
  });
});
