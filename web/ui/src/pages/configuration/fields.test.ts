import { describe, expect, it } from 'vitest';
import { controlOf, entered, faultOf, type KeySchema, sameKey, shown } from './fields';

const NULL = { type: 'null' };
const whole: KeySchema = { anyOf: [{ type: 'integer', minimum: 1, maximum: 256 }, NULL] };

describe('the control of a key', () => {
  it.each<[string, KeySchema, object]>([
    ['a whole number', whole, { kind: 'number', isWhole: true, min: 1, max: 256 }],
    ['a number', { anyOf: [{ type: 'number', minimum: 0 }, NULL] }, { kind: 'number', isWhole: false, min: 0, max: null }],
    ['a switch', { anyOf: [{ type: 'boolean' }, NULL] }, { kind: 'choice', options: ['true', 'false'] }],
    ['words, each once', { anyOf: [{ enum: ['enabled', 'auto', 'on', 'off', true, false] }, NULL] }, { kind: 'choice', options: ['enabled', 'auto'] }],
    ['a time', { anyOf: [{ type: 'number' }, { type: 'string' }, { const: 'forever' }, NULL] }, { kind: 'text', takesNumbers: true }],
    ['a path', { anyOf: [{ type: 'string' }, NULL] }, { kind: 'text', takesNumbers: false }],
    ['names', { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }, NULL] }, { kind: 'list', ofNumbers: false }],
    ['shares', { anyOf: [{ type: 'array', items: { type: 'number' } }, { type: 'string' }, NULL] }, { kind: 'list', ofNumbers: true }],
    ['a map', { anyOf: [{ type: 'object' }, NULL] }, { kind: 'other' }],
    ['a list of maps', { anyOf: [{ type: 'array', items: { anyOf: [] } }, NULL] }, { kind: 'other' }],
  ])('%s', (_, schema, control) => expect(controlOf(schema)).toEqual(control));
});

describe('what is entered', () => {
  it.each([
    ['number', '', null],
    ['number', ' 12 ', 12],
    ['number', '1e3', 1000],
    ['number', 'many', undefined],
    ['choice', 'true', true],
    ['choice', 'false', false],
    ['choice', 'q8_0', 'q8_0'],
    ['text', '30m', '30m'],
    ['text', '30', 30],
  ] as const)('%s: %j', (kind, text, value) => {
    const control = { number: controlOf(whole), choice: { kind: 'choice', options: [] }, text: { kind: 'text', takesNumbers: true } } as const;
    expect(entered(control[kind], text)).toBe(value);
  });

  it.each([
    ['', null],
    ['5', null],
    ['x', 'notNumber'],
    ['1.5', 'notWhole'],
    ['0', 'tooSmall'],
    ['257', 'tooLarge'],
  ])('%j as a count', (text, fault) => expect(faultOf(controlOf(whole), text)).toBe(fault));
});

it.each([
  [null, '–'],
  ['f16', 'f16'],
  [true, 'true'],
  [['a', 'b'], 'a, b'],
  [[{ path: 'a' }], '[{"path":"a"}]'],
])('%j is shown', (value, text) => expect(shown(value)).toBe(text));

it.each([
  ['models.A.n-batch', 'A', 'n_batch', true],
  ['models.A/B.1.n_batch', 'A/B.1', 'n_batch', true],
  ['models.A.aliases[0]', 'A', 'aliases', true],
  ['models.A.sampling_parameters.top_k', 'A', 'sampling_parameters.top_k', true],
  ['models.A.n_ubatch', 'A', 'n_batch', false],
  ['models.A', 'A', 'n_batch', false],
])('%s is about %s, %s: %s', (where, model, key, is) => expect(sameKey(where, model, key)).toBe(is));
