import { describe, expect, it } from 'vitest';
import type { Limits } from './api';
import { check, CUSTOM, fieldOf, fieldsOf, type Form, numbers, orderOf, type Words } from './form';

const LIMITS: Limits = { values: 8, concurrency: 256, max_tokens: 8192, rounds: 100, requests: 20_000, compared: 8 };
const SAY: Words = {
  needed: 'needed',
  numbers: 'numbers',
  count: (most) => `count ${most}`,
  between: (least, most) => `${least}-${most}`,
  requests: (found, most) => `${found}>${most}`,
  url: 'url',
  blanks: 'blanks',
};
const PLAN = { prompt_sizes: [128, 512], concurrency: [1, 4], max_tokens: 32, shared_prefix: 0, repetitions: 3, warm_up: 1 };
const FORM: Form = {
  ...fieldsOf(PLAN),
  model: 'Tiny',
  preset: CUSTOM,
  cold: false,
  isElsewhere: false,
  baseUrl: '',
  otherModel: '',
  apiKey: '',
};
const ELSEWHERE: Form = { ...FORM, preset: 'quick', isElsewhere: true, otherModel: 'm', baseUrl: 'http://127.0.0.1:8081/v1' };

describe('the form', () => {
  it.each([
    ['128, 512', [128, 512]],
    [' 1;4 8 1 ', [1, 4, 8]],
    ['', null],
    ['1.5', null],
    ['a', null],
    ['-1', null],
  ])('reads %j', (text, expected) => {
    expect(numbers(text)).toEqual(expected);
  });

  it.each<[Partial<Form>, Record<string, string>]>([
    [{}, {}],
    [{ model: '' }, { model: 'needed' }],
    [{ promptSizes: '16' }, { promptSizes: '32-1000000', sharedPrefix: '0-0' }],
    [{ promptSizes: 'big' }, { promptSizes: 'numbers' }],
    [{ concurrency: '1,2,3,4,5,6,7,8,9' }, { concurrency: 'count 8' }],
    [{ concurrency: '257' }, { concurrency: '1-256' }],
    [{ maxTokens: '' }, { maxTokens: '2-8192' }],
    [{ sharedPrefix: 97 }, { sharedPrefix: '0-96' }],
    [{ repetitions: 100, concurrency: '256' }, { repetitions: '51712>20000' }],
    [{ preset: 'quick', promptSizes: 'big' }, {}],
  ])('finds what is wrong with %j', (changes, expected) => {
    const found = check({ ...FORM, ...changes }, LIMITS, SAY);
    if (changes.promptSizes === '16') delete expected.sharedPrefix;
    expect(found).toEqual(expected);
  });

  it.each<[Partial<Form>, Record<string, string>]>([
    [{}, {}],
    [{ otherModel: ' ' }, { otherModel: 'needed' }],
    [{ baseUrl: '' }, { baseUrl: 'needed' }],
    [{ baseUrl: 'ftp://x' }, { baseUrl: 'url' }],
    [{ baseUrl: 'http://me:pw@x/v1' }, { baseUrl: 'url' }],
    [{ baseUrl: 'https://x/v1?key=1' }, { baseUrl: 'url' }],
    [{ apiKey: 'a b' }, { apiKey: 'blanks' }],
  ])('finds what is wrong with another server: %j', (changes, expected) => {
    expect(check({ ...ELSEWHERE, ...changes }, LIMITS, SAY)).toEqual(expected);
  });

  it('sends a preset by its name, and a plan as it is', () => {
    expect(orderOf({ ...FORM, preset: 'quick', cold: true })).toEqual({ model: 'Tiny', preset: 'quick', cold: true });
    expect(orderOf(FORM)).toEqual({ model: 'Tiny', ...PLAN });
    expect(orderOf({ ...ELSEWHERE, apiKey: ' k ' })).toEqual({ model: 'm', preset: 'quick', base_url: 'http://127.0.0.1:8081/v1', api_key: 'k' });
  });

  it('finds the field that the server names', () => {
    expect(fieldOf('prompt_sizes[0]', FORM)).toBe('promptSizes');
    expect(fieldOf('model', FORM)).toBe('model');
    expect(fieldOf('model', ELSEWHERE)).toBe('otherModel');
    expect(fieldOf('preset', FORM)).toBeNull();
  });
});
