import { describe, expect, it } from 'vitest';
import { AnswerReader, type Answer } from '@/chat/stream';
import { bestBy, type Column, faultOf, isEnded, measured, runOf, setupOf, tallyOf, USUAL_SETUP, type Vote, votesOf, withVote } from './comparison';
import { markdownOf } from './markdown';

function answer(content: string, speed: number, { ms = 1000, error = false } = {}): Answer {
  let now = 0;
  const reader = new AnswerReader(() => now);
  now = ms;
  reader.take({ choices: [{ delta: { content }, ...(error ? {} : { finish_reason: 'stop' }) }], usage: { completion_tokens: 5 }, timings: { tokens_per_second: speed } });
  reader.close();
  return reader.answer();
}

const column = (model: string, found: Answer | null): Column => ({ model, answer: found, asked: 0 });

describe('what is stored', () => {
  it.each([
    ['nothing', null, USUAL_SETUP],
    ['rubbish', [1], USUAL_SETUP],
    ['one model', { models: ['a'], prompt: 'p' }, { ...USUAL_SETUP, models: ['a', ''], prompt: 'p' }],
    ['too many models', { models: ['a', 'b', 'c', 'd', 'e'], order: 'in_turn' }, { ...USUAL_SETUP, models: ['a', 'b', 'c', 'd'], order: 'in_turn' }],
  ])('of %s is a setup', (_what, found, setup) => {
    expect(setupOf(found)).toEqual(setup);
  });

  it('ends what was on its way', () => {
    const growing = { ...answer('x', 1), state: 'answering' as const };
    const run = runOf(JSON.parse(JSON.stringify({ id: 'r', prompt: 'p', system: '', columns: [column('a', growing), column('b', null)] })));
    expect(run?.columns.map((one) => one.answer?.state)).toEqual(['stopped', undefined]);
    expect(isEnded(run?.columns[0]?.answer ?? null)).toBe(true);
    expect(runOf({ id: 1 })).toBeNull();
  });

  it.each([
    [['', 'b'], 'p', 'models'],
    [['a', 'a'], 'p', 'twice'],
    [['a', 'b'], ' ', 'prompt'],
    [['a', 'b'], 'p', null],
  ] as const)('%j with %j lacks %s', (models, prompt, fault) => {
    expect(faultOf({ ...USUAL_SETUP, models: [...models], prompt })).toBe(fault);
  });
});

describe('the best', () => {
  const fast = answer('a', 20, { ms: 500 });
  const slow = answer('b', 10);
  it.each([
    ['speed', [slow, fast], [1]],
    ['ttft', [slow, fast], [1]],
    ['seconds', [slow, fast], [1]],
    ['tokens', [slow, fast], []],
    ['speed', [fast, fast], []],
    ['speed', [fast, fast, slow], [0, 1]],
    ['speed', [slow, answer('c', 99, { error: true })], [0]],
    ['speed', [slow, null], [0]],
    ['speed', [null, null], []],
  ] as const)('by %s', (measure, answers, places) => {
    expect(bestBy(answers.map((one, index) => column(String(index), one)), measure)).toEqual(places);
  });

  it('has no time before it has ended', () => {
    expect(measured({ ...slow, state: 'answering' }).seconds).toBeNull();
    expect(measured(null)).toEqual({ speed: null, ttft: null, seconds: null, tokens: null });
  });
});

describe('votes', () => {
  const votes: Vote[] = [
    { run: '1', models: ['a', 'b'], best: 'a' },
    { run: '2', models: ['a', 'b'], best: null },
    { run: '3', models: ['b', 'c'], best: 'c' },
  ];

  it('are counted by model, the one that won most often first', () => {
    expect(tallyOf(votes)).toEqual([
      { model: 'c', wins: 1, votes: 1 },
      { model: 'a', wins: 1, votes: 2 },
      { model: 'b', wins: 0, votes: 3 },
    ]);
  });

  it('are one for each run', () => {
    expect(withVote(votes, { run: '1', models: ['a', 'b'], best: 'b' }).map(({ run, best }) => [run, best])).toEqual([['2', null], ['3', 'c'], ['1', 'b']]);
    expect(votesOf(JSON.parse(JSON.stringify(votes)))).toEqual(votes);
    expect(votesOf({})).toEqual([]);
  });
});

it('is copied as Markdown', () => {
  const run = { id: 'r', prompt: 'Say\nhello', system: '', columns: [column('a|b', answer('Hello!', 12.34)), column('c', answer('He', 5, { error: true }))] };
  expect(markdownOf(run, 'a|b')).toBe(
    [
      '> Say\n> hello',
      '| Model | Tokens/s | First token | Time | Tokens |\n| --- | ---: | ---: | ---: | ---: |\n| a\\|b ★ | 12.3 | 1.0 s | 1.0 s | 5 |\n| c | 5.0 | 1.0 s | 1.0 s | 5 |',
      '## a|b',
      'Hello!',
      '## c',
      'He',
      '**The connection ended in the middle of the answer.**\n',
    ].join('\n\n'),
  );
});
