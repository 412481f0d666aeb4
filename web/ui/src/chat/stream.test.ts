import { describe, expect, test } from 'vitest';
import { ApiError } from '@/api/errors';
import { type Answer, AnswerReader, messageOf, readAnswer } from './stream';

/** A clock that goes on by 100 ms each time it is asked. */
function ticking(): () => number {
  let now = -100;
  return () => (now += 100);
}

const delta = (fields: object, finish: string | null = null) => ({ model: 'm', choices: [{ index: 0, delta: fields, finish_reason: finish }] });

function streamed(...lines: string[]): () => Promise<Response> {
  return () => Promise.resolve(new Response(lines.map((line) => `${line}\n\n`).join(''), { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }));
}

const events = (...chunks: object[]) => chunks.map((chunk) => `data: ${JSON.stringify(chunk)}`);

describe('a stream', () => {
  test('becomes a message with its thinking, figures and end', async () => {
    const answer = await readAnswer(
      streamed(
        ...events(
          delta({ role: 'assistant', content: '' }),
          delta({ reasoning_content: 'Hm' }),
          delta({ reasoning_content: ', well.' }),
          delta({ content: 'Hello' }),
          delta({ content: '!' }),
          { ...delta({}, 'stop'), timings: { queued_ms: 1, prefill_ms: 2, decode_ms: 3, tokens_per_second: 99 } },
          { choices: [], usage: { prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 3 }, completion_tokens_details: { reasoning_tokens: 2 } } },
        ),
        'data: [DONE]',
      ),
      { clock: ticking() },
    );
    expect(messageOf(answer, 'asked')).toEqual({
      role: 'assistant',
      content: 'Hello!',
      reasoning: 'Hm, well.',
      model: 'm',
      finish_reason: 'stop',
      stats: {
        prompt_tokens: 10,
        cached_tokens: 3,
        completion_tokens: 4,
        reasoning_tokens: 2,
        ttft: 0.1,
        seconds: 0.4,
        thinking_seconds: 0.2,
        tokens_per_second: 99,
        queued_ms: 1,
        prefill_ms: 2,
        decode_ms: 3,
      },
    });
    expect(answer.state).toBe('done');
  });

  test('is measured here where the server says nothing', async () => {
    const answer = await readAnswer(streamed(...events(delta({ content: 'a' }), delta({ content: 'b' }), delta({ content: 'c' }, 'stop'))), { clock: ticking() });
    expect(answer.stats.tokens_per_second).toBe(10);
    expect(answer.stats.completion_tokens).toBe(3);
  });

  test('puts calls together from their pieces', async () => {
    const piece = (index: number, fields: object) => delta({ tool_calls: [{ index, ...fields }] });
    const answer = await readAnswer(
      streamed(
        ...events(
          piece(0, { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '' } }),
          piece(0, { function: { arguments: '{"city":' } }),
          piece(1, { id: 'call_2', function: { name: 'time', arguments: '{}' } }),
          piece(0, { function: { arguments: ' "Bonn"}' } }),
          delta({}, 'tool_calls'),
        ),
      ),
    );
    expect(answer.tool_calls).toEqual([
      { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city": "Bonn"}' } },
      { id: 'call_2', type: 'function', function: { name: 'time', arguments: '{}' } },
    ]);
  });

  test('keeps what had come before its error', async () => {
    const answer = await readAnswer(streamed(...events(delta({ content: 'Half' }), { error: { message: 'The process died.', code: 'model_crashed' } })));
    expect(answer).toMatchObject({ state: 'failed', content: 'Half', error: { message: 'The process died.', code: 'model_crashed' } });
  });

  test('that ends without a reason was cut', async () => {
    const answer = await readAnswer(streamed(...events(delta({ content: 'Half' }))));
    expect(answer).toMatchObject({ state: 'failed', content: 'Half', error: { code: 'connection_lost' } });
  });

  test('tells what it waits for until the first word', async () => {
    const seen: (string | null)[] = [];
    await readAnswer(streamed(': keep-alive', ': model loading, weights 45 %', ': keep-alive', ...events(delta({ content: 'a' }, 'stop'))), {
      pace: -1,
      onProgress: (answer) => seen.push(answer.standing),
    });
    expect(seen).toEqual([null, 'model loading, weights 45 %', 'model loading, weights 45 %', null]);
  });

  test('has log-probabilities of every token', async () => {
    const scored = (token: string) => ({ choices: [{ delta: { content: token }, logprobs: { content: [{ token, logprob: -0.1, bytes: null, top_logprobs: [] }] }, finish_reason: token === 'b' ? 'stop' : null }] });
    const answer = await readAnswer(streamed(...events(scored('a'), scored('b'))));
    expect(answer.logprobs.map(({ token }) => token)).toEqual(['a', 'b']);
  });
});

describe('other servers', () => {
  test('may answer whole', async () => {
    const body = { model: 'gpt', choices: [{ message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1 } };
    const answer = await readAnswer(() => Promise.resolve(Response.json(body)));
    expect(answer).toMatchObject({ state: 'done', content: 'Hi', model: 'gpt' });
  });

  test.each([
    [['<think>a', ' b</think>', '\nc'], 'answering', 'a b', 'c'],
    [['<think>a', ' b'], 'thinking', 'a b', ''],
    [['a <think>b</think>'], 'answering', '', 'a <think>b</think>'],
  ])('may leave thinking in the text: %o', (pieces, state, reasoning, content) => {
    const reader = new AnswerReader();
    for (const piece of pieces) reader.take(delta({ content: piece }));
    expect(reader.answer()).toMatchObject({ state, reasoning, content });
  });

  test('may call thinking `reasoning`', () => {
    const reader = new AnswerReader();
    reader.take(delta({ reasoning: 'a', content: null }));
    expect(reader.answer()).toMatchObject({ state: 'thinking', reasoning: 'a' });
  });
});

describe('an answer that does not come', () => {
  test('says why', async () => {
    const answer = await readAnswer(() => Promise.reject(new ApiError('No such model.', 404, 'model_not_found')));
    expect(answer).toMatchObject({ state: 'failed', content: '', error: { message: 'No such model.', code: 'model_not_found' } });
  });

  test('that is stopped is no failure, and what had come stays', async () => {
    const stop = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(delta({ content: 'Half' }))}\n\n`));
        stop.signal.addEventListener('abort', () => controller.error(new DOMException('stopped', 'AbortError')));
      },
    });
    const answer: Answer = await readAnswer(() => Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } })), {
      pace: -1,
      onProgress: () => stop.abort(),
    });
    expect(answer).toMatchObject({ state: 'stopped', content: 'Half', error: null, finish_reason: 'stopped' });
  });
});
