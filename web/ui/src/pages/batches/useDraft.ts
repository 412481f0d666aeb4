import { useEffect, useState } from 'react';
import type { Settings } from './requests';
import type { Format } from './sources';

/** What is being written; it survives a reload of the page. */
export interface Draft extends Settings {
  format: Format;
  text: string;
  column: string | null;
  hasHead: boolean;
  name: string;
}

const KEY = 'kronk.batch.draft';
// Of what browsers keep for a page, most of it is for others.
const MOST_KEPT = 500_000;

export const EMPTY: Draft = {
  format: 'text', text: '', column: null, hasHead: true, name: '', endpoint: '/v1/chat/completions', model: '', system: '', maxTokens: 256, temperature: '',
};

export function useDraft(): [Draft, (changes: Partial<Draft>) => void] {
  const [draft, setDraft] = useState<Draft>(read);
  useEffect(() => {
    try {
      localStorage.setItem(KEY, JSON.stringify(draft.text.length > MOST_KEPT ? { ...draft, text: '' } : draft));
    } catch {
      // A full or closed store: the draft then lives as long as the page.
    }
  }, [draft]);
  return [draft, (changes) => setDraft((before) => ({ ...before, ...changes }))];
}

function read(): Draft {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof kept === 'object' && kept !== null ? { ...EMPTY, ...kept } : EMPTY;
  } catch {
    return EMPTY;
  }
}

/** After it was sent. */
export function forgetDraft(draft: Draft): void {
  localStorage.setItem(KEY, JSON.stringify({ ...draft, text: '', name: '', column: null }));
}
