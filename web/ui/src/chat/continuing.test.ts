import { expect, test } from 'vitest';
import { beginningOf, canContinue, continuingBody, joined } from './continuing';
import { type Answer, AnswerReader } from './stream';
import type { Message, Stats } from './thread';

const NOTHING: Stats = new AnswerReader().answer().stats;
const rest = (change: Partial<Answer>): Answer => ({ ...new AnswerReader().answer(), ...change });

test.each([
  ['One, two ', 'One, two'],
  ['One,\t ', 'One,'],
  // A new paragraph is not a word's own.
  ['One:\n\n', 'One:\n\n'],
  ['', ''],
])('%j is gone on from as %j', (content, beginning) => {
  expect(beginningOf({ role: 'assistant', content })).toBe(beginning);
});

test('what decides how an answer begins is not said again', () => {
  const body = { model: 'm', messages: [], tools: [], temperature: 0, enable_thinking: true, thinking_budget: 3, tool_choice: 'required', response_format: {} };
  expect(continuingBody(body, 'kronk')).toEqual({ model: 'm', messages: [], tools: [], temperature: 0, continue_final_message: true });
  expect(continuingBody({ model: 'm', tool_choice: 'none' }, 'llama')).toEqual({ model: 'm', tool_choice: 'none' });
});

test('only servers that can are asked to', () => {
  expect((['kronk', 'llama', 'openai'] as const).map(canContinue)).toEqual([true, true, false]);
});

test('both parts are one answer, with the figures of both', () => {
  const begun: Message = {
    role: 'assistant',
    content: 'One, ',
    reasoning: 'Counting.',
    finish_reason: 'length',
    stats: { ...NOTHING, prompt_tokens: 9, completion_tokens: 3, ttft: 0.5, seconds: 2, tokens_per_second: 10, decode_ms: 300 },
  };
  const whole = joined(begun, rest({ state: 'done', content: ' two.', finish_reason: 'stop', stats: { ...NOTHING, prompt_tokens: 12, completion_tokens: 4, ttft: 0.1, seconds: 1, tokens_per_second: 20, decode_ms: 200 } }));
  expect(whole).toMatchObject({ state: 'done', content: 'One, two.', reasoning: 'Counting.', finish_reason: 'stop' });
  expect(whole.stats).toMatchObject({ prompt_tokens: 9, completion_tokens: 7, ttft: 0.5, seconds: 3, tokens_per_second: 20, decode_ms: 500 });
});

test('where nothing more comes, what there was stays', () => {
  const begun: Message = { role: 'assistant', content: 'One', logprobs: [] };
  const error = { message: 'busy', code: 'overloaded' };
  expect(joined(begun, rest({ state: 'failed', error }))).toMatchObject({ content: 'One', error });
});
