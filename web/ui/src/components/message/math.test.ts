import { describe, expect, it } from 'vitest';
import { withFormulas } from './math';

describe('formulas', () => {
  it.each([
    ['brackets within a line', 'Let \\(x^2\\) be', 'Let $$x^2$$ be'],
    ['a dollar', 'Let $x_1$ be', 'Let $$x_1$$ be'],
    ['a letter alone', '$x$, $y$', '$$x$$, $$y$$'],
    ['prices', 'It costs $5 and $10 more', 'It costs $5 and $10 more'],
    ['a price range', '$20-$30 a month', '$20-$30 a month'],
    ['an escaped dollar', '\\$5 for $x$', '\\$5 for $$x$$'],
    ['brackets as a block', 'So\n\\[ a = b \\]\nis', 'So\n$$\na = b\n$$\nis'],
    ['a block within a line', 'So $$a$$ is', 'So \n$$\na\n$$\n is'],
    ['a block that is one already', '$$\na\n$$', '$$\na\n$$'],
    ['lines of a block', '\\[\na \\\\\n b\n\\]', '$$\na \\\\\nb\n$$'],
    ['in a list', '- one:\n  \\[a\\]\n- two', '- one:\n  $$\n  a\n  $$\n- two'],
    ['as an item', '1. \\[a\\]', '1. $$\n   a\n   $$'],
    ['in a quotation', '> \\[a\\]', '> $$\n> a\n> $$'],
    ['in a table', '| $$a$$ | b |', '| $$a$$ | b |'],
    ['not within code', '`$x$` and $y$', '`$x$` and $$y$$'],
    ['not within a block of code', '```\n\\[a\\]\n```\n\\(b\\)', '```\n\\[a\\]\n```\n$$b$$'],
    ['not within open code', '```\n\\[a\\]', '```\n\\[a\\]'],
    ['text of its own', 'no math', 'no math'],
  ])('%s', (_what, text, result) => {
    expect(withFormulas(text)).toBe(result);
  });

  it.each([
    ['an open block', 'So \\[ a + ', 'So \n$$\na +\n$$'],
    ['an open block of dollars', 'So\n$$\na +', 'So\n$$\na +\n$$'],
    ['a block that has just begun', 'So\n$$', 'So\n'],
  ])('closes %s while the text grows', (_what, text, result) => {
    expect(withFormulas(text, true)).toBe(result);
  });
});
