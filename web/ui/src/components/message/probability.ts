/** What a model's log-probabilities say, for people. */

export interface Alternative {
  token: string;
  logprob: number;
}

export interface TokenProbability extends Alternative {
  bytes?: number[] | null;
  top_logprobs: readonly Alternative[];
}

/** How sure the model was of a token, from the surest. */
export const SURENESS = ['sure', 'likely', 'even', 'unsure', 'unlikely'] as const;
export type Sureness = (typeof SURENESS)[number];

/** The smallest share of each, in order. */
export const LEAST: Readonly<Record<Sureness, number>> = { sure: 0.9, likely: 0.6, even: 0.3, unsure: 0.1, unlikely: 0 };

export function share(logprob: number): number {
  return Math.min(1, Math.exp(logprob));
}

export function sureness(logprob: number): Sureness {
  return SURENESS.find((name) => share(logprob) >= LEAST[name]) ?? 'unlikely';
}

/** The tokens that could have been here with the chosen one among them, the likeliest first. */
export function alternatives(token: TokenProbability): (Alternative & { isChosen: boolean })[] {
  const others = token.top_logprobs.filter((other) => other.token !== token.token);
  return [{ token: token.token, logprob: token.logprob, isChosen: true }, ...others.map((other) => ({ ...other, isChosen: false }))].sort(
    (one, other) => other.logprob - one.logprob,
  );
}

/** A token with its spaces and line ends made visible. */
export function visible(token: string): string {
  return token.replaceAll(' ', '␣').replaceAll('\n', '⏎').replaceAll('\t', '⇥') || '∅';
}

/** How unsure the model was on the whole: 1 where every token was certain; null without tokens. */
export function perplexity(tokens: readonly Alternative[]): number | null {
  if (tokens.length === 0) return null;
  return Math.exp(-tokens.reduce((sum, token) => sum + token.logprob, 0) / tokens.length);
}
