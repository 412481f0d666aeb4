import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useNavigate } from 'react-router';
import { ApiError } from '@/api/errors';
import { changePrompt, createPrompt, getPrompt, type Prompt, type PromptFields, PROMPTS_KEY } from '@/api/prompts';
import { tellDone } from '@/components/notices';
import { changesOf, type Draft, draftOf, EMPTY, fieldsOf, keepDraft } from './draft';
import { usePromptsTexts } from './texts';

/** Why saving failed: a field is wrong, somebody else was first, or anything else. */
export type Failure = { kind: 'field'; error: ApiError } | { kind: 'conflict' } | { kind: 'other'; error: unknown };

export function failureOf(error: unknown): Failure {
  if (!(error instanceof ApiError)) return { kind: 'other', error };
  if (error.status === 409) return { kind: 'conflict' };
  return error.param !== null && error.param in EMPTY ? { kind: 'field', error } : { kind: 'other', error };
}

/** The writing of one prompt; what is not saved survives a reload. */
export function useEditing(id: string, prompt: Prompt | null) {
  const say = usePromptsTexts().editor;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [draft, setDraft] = useState(() => draftOf(id));
  const [failure, setFailure] = useState<Failure | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isTried, setTried] = useState(false);
  const stored = prompt === null ? EMPTY : fieldsOf(prompt);
  const fields = draft?.fields ?? stored;
  const changes = changesOf(stored, fields);

  const keep = (next: Draft | null) => {
    keepDraft(id, next);
    setDraft(next);
  };
  const discard = () => {
    keep(null);
    setFailure(null);
    setTried(false);
  };
  const send = async () => {
    if (prompt === null) return createPrompt(fields);
    // Another text has to be made from the newest one.
    const made = 'text' in changes ? { version: draft?.version ?? prompt.version } : {};
    return changePrompt(id, { ...changes, ...made });
  };
  const learn = (newest: Prompt) => queries.setQueryData([...PROMPTS_KEY, 'one', newest.id], newest);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (fields.name.trim() === '' || fields.text.trim() === '') return;
    setBusy(true);
    setFailure(null);
    try {
      const saved = await send();
      discard();
      learn(saved);
      void queries.invalidateQueries({ queryKey: PROMPTS_KEY });
      tellDone(say.saved);
      if (prompt === null) await navigate(`/prompts/${saved.id}`, { replace: true });
    } catch (error) {
      const found = failureOf(error);
      setFailure(found);
      if (found.kind === 'conflict') {
        // The next attempt is made from what is there now.
        const newest = await getPrompt(id).catch(() => null);
        if (newest !== null) {
          keep({ fields, version: newest.version });
          learn(newest);
        }
      }
    } finally {
      setBusy(false);
    }
  };
  return {
    fields,
    failure,
    isBusy,
    isTried,
    isChanged: Object.keys(changes).length > 0,
    // The version that the changes began from stays: a later one came from elsewhere.
    change: (next: PromptFields) => keep({ fields: next, version: draft?.version ?? prompt?.version ?? null }),
    discard,
    save,
  };
}
