import { useCallback, useEffect, useRef, useState } from 'react';
import type { ConfigFile } from './api';

const KEY = 'kronk.configuration.draft';

interface Draft {
  path: string;
  /** Of the file that it began with. */
  revision: string | null;
  text: string;
}

function stored(): Draft | null {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Partial<Draft> | null;
    return typeof found?.text === 'string' && typeof found.path === 'string' ? { path: found.path, text: found.text, revision: found.revision ?? null } : null;
  } catch {
    return null;
  }
}

/** The text as it is being edited; kept in this browser until it is saved or thrown away. */
export function useDraft(file: ConfigFile) {
  const [draft, setDraft] = useState<Draft>(() => {
    const found = stored();
    return found !== null && found.path === file.path ? found : fresh(file);
  });
  // Changes of a form come one upon the other, each to the text that the one before has made.
  const latest = useRef(draft.text);
  useEffect(() => {
    if (draft.text === (file.text ?? '')) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(draft));
  }, [draft, file]);
  const setText = useCallback((text: string) => {
    latest.current = text;
    setDraft((old) => ({ ...old, text }));
  }, []);
  /** Begins with that file anew; with `text`, keeps what was written as a change to it. */
  const restart = useCallback((from: ConfigFile, text?: string) => {
    latest.current = text ?? from.text ?? '';
    setDraft({ ...fresh(from), text: latest.current });
  }, []);
  return { text: draft.text, revision: draft.revision, latest, setText, restart };
}

function fresh(file: ConfigFile): Draft {
  return { path: file.path, revision: file.revision, text: file.text ?? '' };
}
