import { useSyncExternalStore } from 'react';
import { type Language, LANGUAGES } from '@/text/language';

/** What the user has chosen; kept in this browser alone. */
export interface Preferences {
  /** Sent with each request; '' for the login's cookie, or nothing. */
  token: string;
  /** 'auto' is the browser's own. */
  language: Language | 'auto';
}

const KEY = 'kronk.preferences';
const USUAL: Preferences = { token: '', language: 'auto' };

/** What was stored, without what no version of ours has written. */
export function parsePreferences(text: string | null): Preferences {
  let found: unknown;
  try {
    found = text === null ? null : JSON.parse(text);
  } catch {
    return USUAL;
  }
  if (typeof found !== 'object' || found === null) return USUAL;
  const { token, language } = found as Record<string, unknown>;
  return {
    token: typeof token === 'string' ? token : USUAL.token,
    language: typeof language === 'string' && language in LANGUAGES ? (language as Language) : 'auto',
  };
}

let current = parsePreferences(localStorage.getItem(KEY));
const listeners = new Set<() => void>();

export function preferences(): Preferences {
  return current;
}

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  localStorage.setItem(KEY, JSON.stringify(current));
  for (const listener of listeners) listener();
}

// Another tab has changed them.
addEventListener('storage', (event) => {
  if (event.key !== KEY) return;
  current = parsePreferences(event.newValue);
  for (const listener of listeners) listener();
});

export function usePreferences(): Preferences {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, preferences);
}
