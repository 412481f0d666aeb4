import { describe, expect, it } from 'vitest';
import { EXAMPLES, readSample } from './sample';

describe('a sample chat', () => {
  it.each(Object.values(EXAMPLES))('of the examples is one', (text) => {
    expect(readSample(text).fault).toBeNull();
  });

  it.each([
    ['{"messages": [', 'json'],
    ['{"message": []}', 'messages'],
    ['null', 'messages'],
    ['"hello"', 'messages'],
  ])('%s is none: %s', (text, kind) => {
    expect(readSample(text)).toMatchObject({ body: null, fault: { kind } });
  });

  it('may be the messages alone', () => {
    expect(readSample('[{"role": "user"}]').body).toEqual({ messages: [{ role: 'user' }] });
  });
});
