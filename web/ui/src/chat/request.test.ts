import { describe, expect, test } from 'vitest';
import { requestBody } from './request';
import { type ChatSettings, settingsOf, USUAL_SETTINGS } from './settings';
import { contentOf, type Message, nodeOf } from './thread';

const path = (...messages: Message[]) => messages.map((message, place) => nodeOf(message, null, `id${place}`, place));
const hello = path({ role: 'user', content: 'Hello' });
const settings = (change: Partial<ChatSettings> = {}): ChatSettings => ({ ...USUAL_SETTINGS, model: 'm', ...change });

test('what is left to the model is not said', () => {
  expect(requestBody(hello, settings())).toEqual({
    model: 'm',
    messages: [{ role: 'user', content: 'Hello' }],
    stream: true,
    stream_options: { include_usage: true },
  });
});

test('the system prompt comes first', () => {
  expect(requestBody(hello, settings({ system: 'Be kind.' })).messages).toEqual([
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Hello' },
  ]);
  expect(requestBody(hello, settings({ system: ' \n' })).messages).toHaveLength(1);
});

test('images and recordings go with their message', () => {
  const content = contentOf('What is it?', [
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
    { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
  ]);
  expect(requestBody(path({ role: 'user', content }), settings()).messages).toEqual([{ role: 'user', content }]);
});

test('what only we keep of a message stays here', () => {
  const answer: Message = { role: 'assistant', content: 'Hi', reasoning: 'Hm', model: 'm', finish_reason: 'stop', error: { message: 'x', code: 'x' } };
  expect(requestBody(path(answer), settings()).messages).toEqual([{ role: 'assistant', content: 'Hi' }]);
});

test('an answer of which nothing came is left out', () => {
  const failed: Message = { role: 'assistant', content: '', error: { message: 'x', code: 'x' } };
  expect(requestBody(path({ role: 'user', content: 'a' }, failed, { role: 'user', content: 'b' }), settings()).messages).toHaveLength(2);
});

test('calls go back with their thinking, and their results with their ids', () => {
  const calls = [{ id: 'call_1', type: 'function' as const, function: { name: 'f', arguments: '{}' } }];
  const messages = path({ role: 'assistant', content: '', reasoning: 'Hm', tool_calls: calls }, { role: 'tool', content: '42', tool_call_id: 'call_1' });
  expect(requestBody(messages, settings()).messages).toEqual([
    { role: 'assistant', content: null, tool_calls: calls, reasoning_content: 'Hm' },
    { role: 'tool', content: '42', tool_call_id: 'call_1' },
  ]);
});

describe.each<[string, Partial<ChatSettings>, object, object, object]>([
  ['a preset', { preset: 'coding' }, { sampling_preset: 'coding' }, { temperature: 0.2, min_p: 0.05 }, { temperature: 0.2 }],
  ['a sampler over it', { preset: 'coding', sampling: { temperature: 0 } }, { sampling_preset: 'coding', temperature: 0 }, { temperature: 0, min_p: 0.05 }, { temperature: 0 }],
  ['a sampler of llama.cpp', { sampling: { dry_base: 2 } }, { dry_base: 2 }, { dry_base: 2 }, {}],
  ['a limit', { max_tokens: 5, stop: ['x'] }, { max_tokens: 5, stop: ['x'] }, { max_tokens: 5, stop: ['x'] }, { max_completion_tokens: 5, stop: ['x'] }],
  ['log-probabilities', { logprobs: 3 }, { logprobs: true, top_logprobs: 3 }, { logprobs: true, top_logprobs: 3 }, { logprobs: true, top_logprobs: 3 }],
  ['no thinking', { thinking: 'off', thinking_budget: 9 }, { enable_thinking: false }, { chat_template_kwargs: { enable_thinking: false } }, {}],
  ['thinking', { thinking: 'on', thinking_budget: 9 }, { enable_thinking: true, thinking_budget: 9 }, { chat_template_kwargs: { enable_thinking: true } }, {}],
])('%s is said', (_, change, kronk, llama, openai) => {
  test.each([
    ['kronk', kronk],
    ['llama', llama],
    ['openai', openai],
  ] as const)('to %s', (dialect, said) => {
    const body = requestBody(hello, settings(change), dialect, { coding: { temperature: 0.2, min_p: 0.05 } });
    expect(body).toEqual({ ...requestBody(hello, settings()), ...said });
  });
});

test('tools are sent where there are some', () => {
  const tools = [{ type: 'function' as const, function: { name: 'f' } }];
  expect(requestBody(hello, settings({ tools, tool_choice: 'required' }))).toMatchObject({ tools, tool_choice: 'required' });
  expect(requestBody(hello, settings({ tools: [], tool_choice: 'auto' }))).not.toHaveProperty('tool_choice');
});

test.each([
  [{}, USUAL_SETTINGS],
  [{ model: 3, stop: 'x', sampling: null, thinking: 'maybe' }, USUAL_SETTINGS],
  [{ model: 'm', thinking: 'off' }, { ...USUAL_SETTINGS, model: 'm', thinking: 'off' }],
])('stored settings %o are read', (stored, read) => {
  expect(settingsOf(stored)).toEqual(read);
});
