import { eventsOf } from '@/api/events';
import { ApiError, errorOf, isAbort } from '@/api/errors';
import type { Message, MessageError, Stats, TokenLogprob, ToolCall } from './thread';

/** An answer as far as it has come. */
export interface Answer {
  state: 'waiting' | 'thinking' | 'answering' | 'done' | 'stopped' | 'failed';
  content: string;
  reasoning: string;
  tool_calls: ToolCall[];
  logprobs: TokenLogprob[];
  /** As the server names it. */
  model: string | null;
  finish_reason: string | null;
  stats: Stats;
  error: MessageError | null;
  /** What it waits for, in the server's words: `model loading, weights 45 %`. */
  standing: string | null;
}

interface Delta {
  content?: unknown;
  reasoning_content?: unknown;
  reasoning?: unknown;
  tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

interface Chunk {
  model?: unknown;
  choices?: { delta?: Delta; message?: Delta; text?: unknown; finish_reason?: unknown; logprobs?: { content?: TokenLogprob[] | null } | null }[];
  usage?: {
    prompt_tokens?: number;
    completion_tokens?: number;
    prompt_tokens_details?: { cached_tokens?: number } | null;
    completion_tokens_details?: { reasoning_tokens?: number } | null;
  } | null;
  timings?: Record<string, unknown>;
  error?: unknown;
}

/** Milliseconds, from any beginning. */
export type Clock = () => number;

const OPENING = '<think>';
const CLOSING = '</think>';

/** Puts an answer together from the chunks of a stream, and measures it. */
export class AnswerReader {
  private content = '';
  private reasoning = '';
  private readonly calls: ToolCall[] = [];
  private readonly logprobs: TokenLogprob[] = [];
  private model: string | null = null;
  private finish: string | null = null;
  private error: MessageError | null = null;
  private standing: string | null = null;
  private usage: NonNullable<Chunk['usage']> = {};
  private timings: Record<string, unknown> = {};
  private pieces = 0;
  private readonly began: number;
  private first: number | null = null;
  private last: number;
  private thought: number | null = null;
  private ended: Answer['state'] | null = null;

  constructor(private readonly clock: Clock = () => performance.now()) {
    this.began = this.last = clock();
  }

  /** A comment of the stream: what is waited for, or only a sign of life. */
  hear(comment: string): void {
    const text = comment.trim();
    if (this.first === null && text !== '' && text !== 'keep-alive') this.standing = text;
  }

  take(chunk: Chunk): void {
    if (chunk.error !== undefined && chunk.error !== null) return this.fail(errorOf(0, chunk, new Headers()));
    if (typeof chunk.model === 'string' && chunk.model !== '') this.model = chunk.model;
    if (chunk.usage != null) this.usage = chunk.usage;
    if (chunk.timings !== undefined) this.timings = chunk.timings;
    const choice = chunk.choices?.[0];
    if (choice === undefined) return;
    this.takeDelta(choice.delta ?? choice.message ?? { content: choice.text });
    this.logprobs.push(...(choice.logprobs?.content ?? []));
    if (typeof choice.finish_reason === 'string') this.finish = choice.finish_reason;
  }

  private takeDelta(delta: Delta): void {
    const thought = textIn(delta.reasoning_content) || textIn(delta.reasoning);
    const said = textIn(delta.content);
    const calls = delta.tool_calls ?? [];
    if (thought === '' && said === '' && calls.length === 0) return;
    const now = this.clock();
    this.first ??= now;
    this.last = now;
    this.pieces += 1;
    this.standing = null;
    this.reasoning += thought;
    this.content += said;
    for (const [place, call] of calls.entries()) this.takeCall(call.index ?? place, call);
    if (this.thought === null && this.answerHasBegun()) this.thought = now;
  }

  private answerHasBegun(): boolean {
    return this.calls.length > 0 || split(this.content, this.reasoning).content.trim() !== '';
  }

  private takeCall(index: number, { id, function: called }: NonNullable<Delta['tool_calls']>[number]): void {
    const call = (this.calls[index] ??= { id: id ?? `call_${index}`, type: 'function', function: { name: '', arguments: '' } });
    if (id !== undefined && id !== '') call.id = id;
    call.function.name += called?.name ?? '';
    call.function.arguments += called?.arguments ?? '';
  }

  fail(error: unknown): void {
    const code = error instanceof ApiError ? error.code : 'unknown';
    this.error = { message: error instanceof Error ? error.message : String(error), code };
    this.end('failed');
  }

  /** The stream is over. Without a reason for its end it was cut. */
  close(): void {
    if (this.ended !== null) return;
    if (this.finish === null) this.fail(new ApiError('The connection ended in the middle of the answer.', 0, 'connection_lost'));
    else this.end('done');
  }

  stop(): void {
    this.finish = 'stopped';
    this.end('stopped');
  }

  private end(state: Answer['state']): void {
    this.ended ??= state;
    this.standing = null;
  }

  /** What there is by now; later chunks do not change it. */
  answer(): Answer {
    const { content, reasoning } = split(this.content, this.reasoning);
    const begun = this.answerHasBegun() ? 'answering' : reasoning === '' ? 'waiting' : 'thinking';
    return {
      state: this.ended ?? begun,
      content,
      reasoning,
      tool_calls: this.calls.filter((call) => call !== undefined).map((call) => ({ ...call, function: { ...call.function } })),
      logprobs: this.logprobs.slice(),
      model: this.model,
      finish_reason: this.finish,
      stats: this.stats(reasoning !== ''),
      error: this.error,
      standing: this.standing,
    };
  }

  private stats(isThoughtful: boolean): Stats {
    const written = number(this.usage.completion_tokens) ?? (this.pieces === 0 ? null : this.pieces);
    const writing = this.first === null ? 0 : (this.last - this.first) / 1000;
    return {
      prompt_tokens: number(this.usage.prompt_tokens),
      cached_tokens: number(this.usage.prompt_tokens_details?.cached_tokens),
      completion_tokens: written,
      reasoning_tokens: number(this.usage.completion_tokens_details?.reasoning_tokens),
      ttft: this.first === null ? null : (this.first - this.began) / 1000,
      seconds: (this.last - this.began) / 1000,
      thinking_seconds: isThoughtful && this.first !== null ? ((this.thought ?? this.last) - this.first) / 1000 : null,
      // llama-server says it with another name.
      tokens_per_second: number(this.timings.tokens_per_second) ?? number(this.timings.predicted_per_second) ?? rate(written, writing),
      queued_ms: number(this.timings.queued_ms),
      prefill_ms: number(this.timings.prefill_ms) ?? number(this.timings.prompt_ms),
      decode_ms: number(this.timings.decode_ms) ?? number(this.timings.predicted_ms),
    };
  }
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** Tokens a second; of one token nobody can tell how fast it came. */
function rate(tokens: number | null, seconds: number): number | null {
  return tokens === null || tokens < 2 || seconds <= 0 ? null : (tokens - 1) / seconds;
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Some servers leave the thinking in the text. */
function split(content: string, reasoning: string): { content: string; reasoning: string } {
  if (reasoning !== '' || !content.startsWith(OPENING)) return { content, reasoning };
  const end = content.indexOf(CLOSING);
  if (end < 0) return { content: '', reasoning: content.slice(OPENING.length).trimStart() };
  return { content: content.slice(end + CLOSING.length).trimStart(), reasoning: content.slice(OPENING.length, end).trim() };
}

export interface Reading {
  /** Told whenever something has come, at most once every `pace` milliseconds; the last is what is returned. */
  onProgress?: (answer: Answer) => void;
  pace?: number;
  clock?: Clock;
}

/**
 * The answer to the chat request that `ask` sends, streamed or whole, of any OpenAI-compatible server.
 *
 * Never throws: what went wrong, also before the first word, is in the answer's `error`, and what had
 * come until then stays. It ends as `stopped` when the signal that `ask` was given is aborted.
 */
export async function readAnswer(ask: () => Promise<Response>, { onProgress, pace = 40, clock }: Reading = {}): Promise<Answer> {
  const reader = new AnswerReader(clock);
  let told = -Infinity;
  const tell = () => {
    const now = performance.now();
    if (onProgress === undefined || now - told < pace) return;
    told = now;
    onProgress(reader.answer());
  };
  try {
    const response = await ask();
    const isStream = response.headers.get('content-type')?.includes('event-stream') ?? false;
    if (!isStream) reader.take((await response.json()) as Chunk);
    else await readEvents(response, reader, tell);
    reader.close();
  } catch (error) {
    if (isAbort(error)) reader.stop();
    else reader.fail(error instanceof TypeError ? new ApiError('The connection was lost in the middle of the answer.', 0, 'connection_lost') : error);
  }
  return reader.answer();
}

async function readEvents(response: Response, reader: AnswerReader, tell: () => void): Promise<void> {
  const heard = (comment: string) => {
    reader.hear(comment);
    tell();
  };
  for await (const { data } of eventsOf(response, heard)) {
    if (data === '[DONE]') return;
    reader.take(JSON.parse(data) as Chunk);
    tell();
  }
}

/** The message that an answer is in a conversation. */
export function messageOf(answer: Answer, model: string): Message {
  const { content, reasoning, tool_calls, logprobs, finish_reason, error, stats } = answer;
  return {
    role: 'assistant',
    content,
    model: answer.model ?? model,
    stats,
    ...(reasoning !== '' && { reasoning }),
    ...(tool_calls.length > 0 && { tool_calls }),
    ...(logprobs.length > 0 && { logprobs }),
    ...(finish_reason !== null && { finish_reason }),
    ...(error !== null && { error }),
  };
}
