/**
 * The loop of asking, calling and asking again, as steps that can be taken one by one.
 *
 * Each step is one request with its answer. Calls of an answer wait for their results, which the mocks propose and the
 * user may change, before the next step sends them.
 */
import type { Answer } from '@/chat/stream';
import { messageOf } from '@/chat/stream';
import type { Message, ToolCall } from '@/chat/thread';
import { answerOf, argumentsOf } from './mock';
import type { ToolDraft } from './schema';

export interface Call {
  call: ToolCall;
  /** What is, or will be, answered to it. */
  result: string;
  /** Why the mock could not be asked. */
  fault: 'noSuchFunction' | 'badArguments' | null;
}

export interface Step {
  /** The body of its request. */
  request: Record<string, unknown>;
  /** null until the first word. */
  answer: Answer | null;
  calls: Call[];
}

export interface Loop {
  state:
    | 'idle'
    /** An answer is on its way. */
    | 'asking'
    /** Calls wait for their results to be sent. */
    | 'calling'
    | 'done'
    | 'failed'
    | 'stopped'
    /** There were as many steps as are allowed. */
    | 'limit';
  messages: Message[];
  steps: Step[];
}

export const IDLE: Loop = { state: 'idle', messages: [], steps: [] };

export type Action =
  | { type: 'begin'; messages: Message[] }
  | { type: 'ask'; request: Record<string, unknown> }
  | { type: 'progress'; answer: Answer }
  | { type: 'answered'; answer: Answer; tools: readonly ToolDraft[]; limit: number }
  | { type: 'result'; step: number; call: number; result: string }
  | { type: 'send' }
  | { type: 'reset' };

export function next(loop: Loop, action: Action): Loop {
  switch (action.type) {
    case 'begin':
      return { state: 'idle', messages: action.messages, steps: [] };
    case 'ask':
      return { ...loop, state: 'asking', steps: [...loop.steps, { request: action.request, answer: null, calls: [] }] };
    case 'progress':
      return { ...loop, steps: changedLast(loop.steps, { answer: action.answer }) };
    case 'answered':
      return answered(loop, action.answer, action.tools, action.limit);
    case 'result':
      return !isWaiting(loop) || action.step !== loop.steps.length - 1 ? loop : withResult(loop, action.call, action.result);
    case 'send':
      return isWaiting(loop) ? { ...loop, state: 'idle', messages: [...loop.messages, ...resultsOf(loop)] } : loop;
    case 'reset':
      return IDLE;
  }
}

/** Whether the last answer's calls have results that were not sent; beyond the limit nobody sends them but the user. */
export function isWaiting({ state }: Loop): boolean {
  return state === 'calling' || state === 'limit';
}

/** A loop as it was stored. */
export function loopOf(found: unknown): Loop {
  const stored = (typeof found === 'object' && found !== null ? found : {}) as Partial<Loop>;
  if (!Array.isArray(stored.steps) || !Array.isArray(stored.messages) || stored.state === undefined) return IDLE;
  return { state: stored.state === 'asking' ? 'stopped' : stored.state, messages: stored.messages, steps: stored.steps };
}

function answered(loop: Loop, answer: Answer, tools: readonly ToolDraft[], limit: number): Loop {
  const calls = answer.state === 'done' ? answer.tool_calls.map((call) => callOf(call, tools)) : [];
  const steps = changedLast(loop.steps, { answer, calls });
  const messages = [...loop.messages, messageOf(answer, '')];
  if (answer.state === 'failed' || answer.state === 'stopped') return { state: answer.state, messages, steps };
  if (calls.length === 0) return { state: 'done', messages, steps };
  return { state: steps.length >= limit ? 'limit' : 'calling', messages, steps };
}

/** The call with what its mock answers; a model that calls wrongly is told so, as programs do. */
export function callOf(call: ToolCall, tools: readonly ToolDraft[]): Call {
  const tool = tools.find(({ name }) => name === call.function.name);
  if (tool === undefined) {
    return { call, fault: 'noSuchFunction', result: JSON.stringify({ error: `There is no function ${call.function.name}.` }) };
  }
  const given = argumentsOf(call.function.arguments);
  if (given === null) return { call, fault: 'badArguments', result: JSON.stringify({ error: 'The arguments are not a JSON object.' }) };
  return { call, fault: null, result: answerOf(tool.mock, given) };
}

function changedLast(steps: readonly Step[], change: Partial<Step>): Step[] {
  return steps.map((step, index) => (index === steps.length - 1 ? { ...step, ...change } : step));
}

function withResult(loop: Loop, index: number, result: string): Loop {
  const last = loop.steps.at(-1);
  const calls = last?.calls.map((call, at) => (at === index ? { ...call, result } : call)) ?? [];
  return { ...loop, steps: changedLast(loop.steps, { calls }) };
}

function resultsOf(loop: Loop): Message[] {
  return (loop.steps.at(-1)?.calls ?? []).map(({ call, result }) => ({ role: 'tool', content: result, tool_call_id: call.id }));
}
