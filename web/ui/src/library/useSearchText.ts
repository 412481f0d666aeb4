import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';
import { useSearchParams } from 'react-router';

/** Milliseconds after the last key until what is typed counts. */
const CALM = 300;

/** A text that is typed, kept in the address under `name`: what counts, what is in the field, and its change. */
export function useSearchText(name: string): [string, string, (text: string) => void] {
  const [parameters, setParameters] = useSearchParams();
  const given = parameters.get(name) ?? '';
  const [typed, setTyped] = useState(given);
  const [seen, setSeen] = useState(given);
  // It was changed elsewhere: by a link, or by going back.
  if (given !== seen) {
    setSeen(given);
    if (given !== typed.trim()) setTyped(given);
  }
  const settle = useDebouncedCallback((text: string) => {
    setParameters((before) => withParameter(before, name, text.trim()), { replace: true });
  }, CALM);
  const change = (text: string) => {
    setTyped(text);
    settle(text);
  };
  return [given, typed, change];
}

/** The parameters with another value under `name`; '' is none. */
export function withParameter(before: URLSearchParams, name: string, value: string): URLSearchParams {
  const after = new URLSearchParams(before);
  if (value === '') after.delete(name);
  else after.set(name, value);
  return after;
}
