import type { Sampling } from './sampling';

/** A function that a model may call, in OpenAI's form. */
export interface Tool {
  type: 'function';
  function: { name: string; description?: string; parameters?: Record<string, unknown>; strict?: boolean };
}

export type ToolChoice = 'auto' | 'none' | 'required' | { type: 'function'; function: { name: string } };

/** How answers are asked for; kept with the conversation. */
export interface ChatSettings {
  /** '' where none is chosen yet. */
  model: string;
  /** The system prompt; '' for none. */
  system: string;
  /** A name of `GET /v1/kronk/presets`; null for what the model's configuration says. */
  preset: string | null;
  /** What is set by hand; it stands above the preset. */
  sampling: Sampling;
  max_tokens: number | null;
  stop: string[];
  /** 'model' leaves it to the model's template. */
  thinking: 'model' | 'on' | 'off';
  /** Tokens; null for no limit. */
  thinking_budget: number | null;
  /** How many alternatives of each token are told; null for no log-probabilities. */
  logprobs: number | null;
  tools?: Tool[];
  tool_choice?: ToolChoice;
  /** OpenAI's: `{"type": "json_schema", ...}`. */
  response_format?: Record<string, unknown>;
}

export const USUAL_SETTINGS: ChatSettings = {
  model: '',
  system: '',
  preset: null,
  sampling: {},
  max_tokens: null,
  stop: [],
  thinking: 'model',
  thinking_budget: null,
  logprobs: null,
};

/** The settings in a stored document, which may be from another version or another program. */
export function settingsOf(stored: Record<string, unknown>): ChatSettings {
  const settings = { ...USUAL_SETTINGS, ...stored };
  const isThinking = settings.thinking === 'on' || settings.thinking === 'off';
  return {
    ...settings,
    model: typeof settings.model === 'string' ? settings.model : '',
    system: typeof settings.system === 'string' ? settings.system : '',
    sampling: typeof settings.sampling === 'object' && settings.sampling !== null ? settings.sampling : {},
    stop: Array.isArray(settings.stop) ? settings.stop : [],
    thinking: isThinking ? settings.thinking : 'model',
  };
}
