import type { Dialect } from './request';
import type { Answer } from './stream';
import { type Message, type Stats, textOf } from './thread';

/** Whether a server of this kind goes on with an answer that it is shown the beginning of. */
export function canContinue(dialect: Dialect): boolean {
  // OpenAI's begins another answer behind it.
  return dialect !== 'openai';
}

/** `begun` as a model goes on from it: its next word brings its own space along. */
export function beginningOf(begun: Message): string {
  return textOf(begun.content).replace(/[ \t]+$/, '');
}

// They decide how an answer begins, and this one has.
const OF_BEGINNINGS = new Set(['response_format', 'enable_thinking', 'thinking_budget']);

/** The body that asks for the rest of its last message, of the body that asks for what follows. */
export function continuingBody(body: Record<string, unknown>, dialect: Dialect): Record<string, unknown> {
  const isKept = ([name, value]: [string, unknown]) => (name === 'tool_choice' ? value === 'none' || value === 'auto' : !OF_BEGINNINGS.has(name));
  return {
    ...Object.fromEntries(Object.entries(body).filter(isKept)),
    // llama-server does so with every last message of the assistant.
    ...(dialect === 'kronk' && { continue_final_message: true }),
  };
}

/** What was there and what has come of the rest, as one answer. */
export function joined(begun: Message, rest: Answer): Answer {
  return {
    ...rest,
    content: beginningOf(begun) + rest.content,
    reasoning: (begun.reasoning ?? '') + rest.reasoning,
    tool_calls: [...(begun.tool_calls ?? []), ...rest.tool_calls],
    logprobs: [...(begun.logprobs ?? []), ...rest.logprobs],
    stats: begun.stats === undefined ? rest.stats : joinedStats(begun.stats, rest.stats),
  };
}

/** Of both: what the prompt took is the first's, how fast it is the newest's. */
function joinedStats(first: Stats, rest: Stats): Stats {
  return {
    ...first,
    completion_tokens: sum(first.completion_tokens, rest.completion_tokens),
    seconds: first.seconds + rest.seconds,
    tokens_per_second: rest.tokens_per_second ?? first.tokens_per_second,
    decode_ms: sum(first.decode_ms, rest.decode_ms),
  };
}

function sum(one: number | null, other: number | null): number | null {
  return one === null && other === null ? null : (one ?? 0) + (other ?? 0);
}
