import { describe, expect, it } from 'vitest';
import { blocksOf, headingLevels, healed } from './blocks';

describe('blocks of a text', () => {
  it.each([
    ['nothing', '', []],
    ['paragraphs', 'One\ntwo\n\n\nthree\n', ['One\ntwo', 'three']],
    ['a list with empty lines stays one', '1. a\n\n   more\n\n2. b\n\nafter', ['1. a\n\n   more\n\n2. b', 'after']],
    ['code keeps its empty lines', '```py\na\n\nb\n```\n\nafter', ['```py\na\n\nb\n```', 'after']],
    ['open code goes to the end', 'x\n\n```\na\n\nb', ['x', '```\na\n\nb']],
    ['a longer fence holds a shorter one', '````\n```\n\na\n````\n\nb', ['````\n```\n\na\n````', 'b']],
    ['a formula keeps its empty lines', '$$\na\n\nb\n$$\n\nc', ['$$\na\n\nb\n$$', 'c']],
    ['so does one in brackets', '\\[\na\n\nb\n\\]\n\nc', ['\\[\na\n\nb\n\\]', 'c']],
    ['definitions hold everywhere', 'See [x].\n\n[x]: https://example.org', ['See [x].\n\n[x]: https://example.org']],
  ])('%s', (_what, text, blocks) => {
    expect(blocksOf(text)).toEqual(blocks);
  });

  it('keeps earlier blocks as they are while the text grows', () => {
    const text = '# A\n\nText **bold**\n\n- a\n\n- b\n\n```\nx\n\ny\n```\n\nEnd';
    const whole = blocksOf(text);
    for (let length = 1; length <= text.length; length += 1) {
      const done = blocksOf(text.slice(0, length)).slice(0, -1);
      expect(whole.slice(0, Math.max(0, done.length - 1))).toEqual(done.slice(0, -1));
    }
  });
});

describe('headings', () => {
  it.each([
    ['none', 'text', ''],
    ['those there are', '### a\n\n# b\n', '13'],
    ['not comments in code', '```\n# a\n```\n## b', '2'],
    ['not hash tags', '#tag', ''],
  ])('%s', (_what, text, levels) => {
    expect(headingLevels(text)).toBe(levels);
  });
});

describe('what still grows', () => {
  it.each([
    ['bold', 'a **b', 'a **b**'],
    ['half the end of bold', 'a **b*', 'a **b**'],
    ['bold that has no letter yet', 'a **', 'a '],
    ['code', 'a `b', 'a `b`'],
    ['code that has no letter yet', 'a `', 'a '],
    ['stars within code', 'a `**` b', 'a `**` b'],
    ['what is whole', 'a **b** `c`', 'a **b** `c`'],
    ['a block of code', '```\na `', '```\na `'],
  ])('%s', (_what, text, result) => {
    expect(healed(text)).toBe(result);
  });
});
