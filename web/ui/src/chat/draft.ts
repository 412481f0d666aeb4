/** Text that was written and not sent yet; it survives a reload, and ends with the tab. */

const KEY = 'kronk.draft';
const SYSTEM_KEY = 'kronk.draft.system';

/** '' where there is none. `conversation` is null for one that is new. */
export function draftOf(conversation: string | null): string {
  return sessionStorage.getItem(keyOf(conversation)) ?? '';
}

export function keepDraft(conversation: string | null, text: string): void {
  const key = keyOf(conversation);
  if (text === '') sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, text);
}

/** The new conversation is kept now, as `id`: what is being written goes with it. */
export function moveDraft(id: string): void {
  const text = draftOf(null);
  keepDraft(null, '');
  if (text !== '' && draftOf(id) === '') keepDraft(id, text);
}

/** Puts what a new conversation on `/chat` begins with: a text to send, a system prompt, or both. */
export function prepareChat({ text = '', system = '' }: { text?: string; system?: string }): void {
  keepDraft(null, text);
  if (system === '') sessionStorage.removeItem(SYSTEM_KEY);
  else sessionStorage.setItem(SYSTEM_KEY, system);
}

/** The system prompt that was put for the next new conversation. */
export function preparedSystem(): string {
  return sessionStorage.getItem(SYSTEM_KEY) ?? '';
}

/** A new conversation has taken it over. */
export function forgetPreparedSystem(): void {
  sessionStorage.removeItem(SYSTEM_KEY);
}

function keyOf(conversation: string | null): string {
  return conversation === null ? KEY : `${KEY}:${conversation}`;
}
