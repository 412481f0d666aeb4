import { type ChatSettings, settingsOf, USUAL_SETTINGS } from '@/chat/settings';

const KEY = 'kronk.chat';

/** How new conversations begin: as the last one was set, in this browser. */
export function rememberedSettings(): ChatSettings {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof found === 'object' && found !== null ? settingsOf(found as Record<string, unknown>) : USUAL_SETTINGS;
  } catch {
    return USUAL_SETTINGS;
  }
}

/** A system prompt, tools and a form of answers belong to one conversation alone. */
export function rememberSettings(settings: ChatSettings): void {
  const { model, preset, sampling, max_tokens, stop, thinking, thinking_budget, logprobs } = settings;
  localStorage.setItem(KEY, JSON.stringify({ model, preset, sampling, max_tokens, stop, thinking, thinking_budget, logprobs }));
}
