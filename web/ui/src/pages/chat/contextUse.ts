/** How much of a model's context window a conversation takes. */

export interface ContextUse {
  tokens: number;
  window: number;
  /** Whether the model's own tokenizer has counted. */
  isExact: boolean;
}

export type Fullness = 'green' | 'yellow' | 'red';

const LITTLE_LEFT = 0.7;
const HARDLY_ANY_LEFT = 0.9;

export function fullness({ tokens, window }: Pick<ContextUse, 'tokens' | 'window'>): Fullness {
  const share = window > 0 ? tokens / window : 1;
  return share >= HARDLY_ANY_LEFT ? 'red' : share >= LITTLE_LEFT ? 'yellow' : 'green';
}

// Of English text; what counts exactly is the model's own tokenizer.
const CHARACTERS_PER_TOKEN = 4;
// What a template puts around each message, and an image of usual size.
const AROUND_MESSAGE = 5;
const IMAGE = 300;

/** A guess at the tokens of messages. */
export function estimate(messages: readonly { text: string; media: number }[]): number {
  return messages.reduce((sum, { text, media }) => sum + Math.ceil(text.length / CHARACTERS_PER_TOKEN) + AROUND_MESSAGE + media * IMAGE, 0);
}
