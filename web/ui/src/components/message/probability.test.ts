import { describe, expect, it } from 'vitest';
import { alternatives, perplexity, share, sureness, visible } from './probability';

const ln = Math.log;

describe('probabilities', () => {
  it.each([
    [0, 'sure'],
    [ln(0.9) + 1e-9, 'sure'],
    [ln(0.7), 'likely'],
    [ln(0.5), 'even'],
    [ln(0.2), 'unsure'],
    [ln(0.01), 'unlikely'],
    [-9999, 'unlikely'],
  ])('a log-probability of %s is %s', (logprob, word) => {
    expect(sureness(logprob)).toBe(word);
  });

  it('puts the chosen token where it belongs among the others', () => {
    const token = { token: 'b', logprob: ln(0.3), top_logprobs: [{ token: 'a', logprob: ln(0.6) }, { token: 'b', logprob: ln(0.3) }, { token: 'c', logprob: ln(0.05) }] };
    expect(alternatives(token).map(({ token: text, isChosen }) => [text, isChosen])).toEqual([['a', false], ['b', true], ['c', false]]);
  });

  it('shows spaces', () => {
    expect([' a', '\n', '\t', ''].map(visible)).toEqual(['␣a', '⏎', '⇥', '∅']);
  });

  it('is never above one', () => {
    expect(share(0.001)).toBe(1);
    expect(perplexity([])).toBeNull();
    expect(perplexity([{ token: 'a', logprob: ln(0.5) }, { token: 'b', logprob: ln(0.5) }])).toBeCloseTo(2);
  });
});
