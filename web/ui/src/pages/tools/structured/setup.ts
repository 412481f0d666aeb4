import { requestBody } from '@/chat/request';
import { settingsOf, type ChatSettings } from '@/chat/settings';
import type { Answer } from '@/chat/stream';
import { nodeOf } from '@/chat/thread';
import { faultOf as formFaultOf, fieldsOf, type Forms, type Kind, KINDS } from './check';
import { EXAMPLES, USUAL_FORMS } from './examples';

export interface Setup {
  kind: Kind;
  forms: Forms;
  prompt: string;
  settings: ChatSettings;
}

/** An answer with the form that it was held to, which may have been changed since. */
export interface Asked {
  kind: Kind;
  forms: Forms;
  answer: Answer;
}

export const USUAL: Setup = {
  kind: 'json_schema',
  forms: USUAL_FORMS,
  prompt: EXAMPLES.person.prompt,
  settings: settingsOf({ max_tokens: 512, thinking: 'off' }),
};

export function setupOf(found: unknown): Setup {
  if (typeof found !== 'object' || found === null) return USUAL;
  const stored = found as Partial<Setup>;
  return {
    kind: KINDS.find((kind) => kind === stored.kind) ?? USUAL.kind,
    forms: { ...USUAL_FORMS, ...stored.forms },
    prompt: typeof stored.prompt === 'string' ? stored.prompt : USUAL.prompt,
    settings: settingsOf({ ...USUAL.settings, ...stored.settings }),
  };
}

/** The last answer as it was stored. */
export function askedOf(found: unknown): Asked | null {
  const stored = (typeof found === 'object' ? found : null) as Asked | null;
  return stored?.answer === undefined || typeof stored.answer.content !== 'string' ? null : stored;
}

export function faultOf({ kind, forms, prompt, settings }: Setup): 'model' | 'prompt' | 'form' | null {
  if (formFaultOf(kind, forms) !== null) return 'form';
  if (settings.model === '') return 'model';
  return prompt.trim() === '' ? 'prompt' : null;
}

export function requestOf({ kind, forms, prompt, settings }: Setup): Record<string, unknown> {
  return { ...requestBody([nodeOf({ role: 'user', content: prompt }, null)], settings), ...fieldsOf(kind, forms) };
}
