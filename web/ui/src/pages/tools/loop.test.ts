import { describe, expect, it } from 'vitest';
import { AnswerReader, type Answer } from '@/chat/stream';
import { EXAMPLES } from './examples';
import { callOf, IDLE, isWaiting, type Loop, next } from './loop';
import { answerOf, argumentsOf } from './mock';

function answerThat(delta: object, finish: string): Answer {
  const reader = new AnswerReader(() => 0);
  reader.take({ choices: [{ delta, finish_reason: finish }] });
  reader.close();
  return reader.answer();
}

const weather = EXAMPLES.weather();
const calls = (...all: [string, string][]) =>
  answerThat({ tool_calls: all.map(([name, given], index) => ({ index, id: `c${index}`, function: { name, arguments: given } })) }, 'tool_calls');
const says = answerThat({ content: 'Sunny.' }, 'stop');

function play(answers: readonly Answer[], limit = 5): Loop {
  let loop = next(IDLE, { type: 'begin', messages: [{ role: 'user', content: 'Weather?' }] });
  for (const answer of answers) {
    loop = next(loop, { type: 'send' });
    loop = next(loop, { type: 'ask', request: {} });
    loop = next(loop, { type: 'answered', answer, tools: [weather], limit });
  }
  return loop;
}

describe('the loop of calls', () => {
  it('ends with an answer without calls', () => {
    const loop = play([calls(['get_weather', '{"city": "paris"}']), says]);
    expect(loop.state).toBe('done');
    expect(loop.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant']);
    expect(loop.messages[2]).toMatchObject({ tool_call_id: 'c0', content: '{"city": "Paris", "temperature": 21, "sky": "sunny"}' });
  });

  it('waits for the results, which may be changed until they are sent', () => {
    let loop = play([calls(['get_weather', '{"city": "Oslo"}'], ['get_weather', '{"city": "Rome"}'])]);
    expect(loop.state).toBe('calling');
    loop = next(loop, { type: 'result', step: 0, call: 1, result: 'Rain.' });
    loop = next(loop, { type: 'send' });
    expect(loop.messages.slice(-2).map(({ content }) => content)).toEqual(['{"city": "Oslo", "temperature": 14, "sky": "cloudy"}', 'Rain.']);
    expect(next(loop, { type: 'result', step: 0, call: 1, result: 'Snow.' })).toBe(loop);
  });

  it('ends at the limit of steps, and goes on when it is told to', () => {
    const loop = play([calls(['get_weather', '{}']), calls(['get_weather', '{}'])], 2);
    expect(loop.state).toBe('limit');
    expect(isWaiting(loop)).toBe(true);
    expect(next(loop, { type: 'send' }).messages).toHaveLength(5);
  });

  it('calls nothing of an answer that failed', () => {
    const reader = new AnswerReader(() => 0);
    reader.take({ choices: [{ delta: { tool_calls: [{ index: 0, id: 'c', function: { name: 'get_weather', arguments: '{"ci' } }] } }] });
    reader.close();
    const loop = play([reader.answer()]);
    expect([loop.state, loop.steps[0]?.calls]).toEqual(['failed', []]);
  });

  it.each([
    ['other', '{}', 'noSuchFunction'],
    ['get_weather', '{"city"', 'badArguments'],
    ['get_weather', '[1]', 'badArguments'],
    ['get_weather', '', null],
  ])('says what is wrong with the call %s(%s)', (name, given, fault) => {
    const { fault: found, result } = callOf({ id: 'c', type: 'function', function: { name, arguments: given } }, [weather]);
    expect(found).toBe(fault);
    expect(result.includes('error')).toBe(fault !== null);
  });
});

describe('what a mock answers', () => {
  const mock = { rules: [{ key: 'r', argument: 'n', value: '2', answer: 'two' }], answer: '{"n": {{n}}, "text": "n is {{n}}, {{missing}}"}' };
  it.each([
    [{ n: 2 }, 'two'],
    [{ n: '2 ' }, 'two'],
    [{ n: 3 }, '{"n": 3, "text": "n is 3, {{missing}}"}'],
    [{ n: 'a "b"' }, '{"n": "a \\"b\\"", "text": "n is a \\"b\\", {{missing}}"}'],
  ])('%j: %s', (given, answer) => {
    expect(answerOf(mock, given)).toBe(answer);
  });

  it('is in plain words where it is no JSON', () => {
    expect(answerOf({ rules: [], answer: 'It rains in {{city}}.' }, { city: 'Oslo' })).toBe('It rains in Oslo.');
  });

  it.each([
    ['', {}],
    ['{"a": 1}', { a: 1 }],
    ['null', null],
    ['{"a', null],
  ])('arguments %s', (written, given) => {
    expect(argumentsOf(written)).toEqual(given);
  });
});
