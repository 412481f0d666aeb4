import { describe, expect, it } from 'vitest';
import { prettyJson } from './partialJson';

describe('JSON for people', () => {
  it.each([
    ['{"a":1,"b":[]}', '{\n  "a": 1,\n  "b": []\n}'],
    ['', ''],
    ['{', '{'],
    ['{"a', '{\n  "a'],
    ['{"a":', '{\n  "a":'],
    ['{"a":{"b":"x, {y}: ', '{\n  "a": {\n    "b": "x, {y}:'],
    ['{"a":"\\"', '{\n  "a": "\\"'],
    ['{"a":[1,2', '{\n  "a": [\n    1,\n    2'],
    ['{"a":{},"b', '{\n  "a": {},\n  "b'],
    ['{"a":[1],', '{\n  "a": [\n    1\n  ],'],
  ])('%s', (text, result) => {
    expect(prettyJson(text)).toBe(result);
  });

  it('grows without moving what is there', () => {
    const whole = '{"city":"Paris, France","days":[1,{"n":2}],"units":"metric","open":true}';
    const end = prettyJson(whole);
    for (let length = 0; length < whole.length; length += 1) {
      expect(end.startsWith(prettyJson(whole.slice(0, length)).replace(/,$/, ''))).toBe(true);
    }
  });
});
