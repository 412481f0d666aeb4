import { isSampler, type Sampling } from './sampling';
import type { ChatSettings } from './settings';
import type { Node } from './thread';

/** What kind of server is asked: each refuses fields that it does not know. */
export type Dialect =
  /** This Kronk, or another. */
  | 'kronk'
  /** llama-server and others that take the samplers of llama.cpp. */
  | 'llama'
  /** OpenAI's fields and no others. */
  | 'openai';

const OPENAI_SAMPLERS = new Set(['temperature', 'top_p', 'frequency_penalty', 'presence_penalty', 'seed', 'logit_bias']);
// Kronk's own word for a way of sampling; what it stands for is sent to others in its place.
export type Presets = Readonly<Record<string, Sampling>>;

/** The body of `POST /v1/chat/completions` that asks for what follows the messages of `path`. */
export function requestBody(path: readonly Node[], settings: ChatSettings, dialect: Dialect = 'kronk', presets: Presets = {}): Record<string, unknown> {
  const { model, max_tokens, stop, logprobs, tools, tool_choice, response_format } = settings;
  return {
    model,
    messages: messagesOf(path, settings.system),
    stream: true,
    stream_options: { include_usage: true },
    ...samplingOf(settings, dialect, presets),
    ...(max_tokens !== null && { [dialect === 'openai' ? 'max_completion_tokens' : 'max_tokens']: max_tokens }),
    ...(stop.length > 0 && { stop }),
    ...(logprobs !== null && { logprobs: true, top_logprobs: logprobs }),
    ...thinkingOf(settings, dialect),
    ...(tools !== undefined && tools.length > 0 && { tools, ...(tool_choice !== undefined && { tool_choice }) }),
    ...(response_format !== undefined && { response_format }),
  };
}

/** The messages as a server reads them: the system prompt first, and nothing of what only we keep. */
export function messagesOf(path: readonly Node[], system = ''): Record<string, unknown>[] {
  const told = path.filter((node) => !isNothing(node)).map(messageOf);
  return system.trim() === '' ? told : [{ role: 'system', content: system }, ...told];
}

/** An answer that failed or was stopped before its first word would only confuse the model. */
function isNothing(node: Node): boolean {
  return node.role === 'assistant' && node.content.length === 0 && (node.tool_calls ?? []).length === 0;
}

function messageOf(node: Node): Record<string, unknown> {
  const { role, content, tool_calls, tool_call_id, reasoning } = node;
  const isCalling = tool_calls !== undefined && tool_calls.length > 0;
  return {
    role,
    content: isCalling && content === '' ? null : content,
    ...(isCalling && { tool_calls }),
    // Between calls a model goes on from what it has thought; templates leave out older thinking.
    ...(isCalling && reasoning !== undefined && reasoning !== '' && { reasoning_content: reasoning }),
    ...(tool_call_id !== undefined && { tool_call_id }),
  };
}

function samplingOf({ preset, sampling }: ChatSettings, dialect: Dialect, presets: Presets): Record<string, unknown> {
  const own = Object.fromEntries(Object.entries(sampling).filter(([name, value]) => value !== undefined && isSampler(name)));
  if (dialect === 'kronk') return { ...(preset !== null && { sampling_preset: preset }), ...own };
  const all = { ...(preset === null ? {} : presets[preset]), ...own };
  if (dialect === 'llama') return all;
  return Object.fromEntries(Object.entries(all).filter(([name]) => OPENAI_SAMPLERS.has(name)));
}

function thinkingOf({ thinking, thinking_budget }: ChatSettings, dialect: Dialect): Record<string, unknown> {
  const isSaid = thinking !== 'model';
  if (dialect === 'openai') return {};
  if (dialect === 'llama') return isSaid ? { chat_template_kwargs: { enable_thinking: thinking === 'on' } } : {};
  return {
    ...(isSaid && { enable_thinking: thinking === 'on' }),
    ...(thinking_budget !== null && thinking !== 'off' && { thinking_budget }),
  };
}
