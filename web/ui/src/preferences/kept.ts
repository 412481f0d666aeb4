/** What a page keeps in this browser, so that a reload loses nothing. */
import { useEffect, useState } from 'react';

/** What was stored under `key`, as `read` understands it; `usual` where there is nothing, or nothing that can be read. */
export function load<T>(key: string, read: (found: unknown) => T, usual: T): T {
  try {
    const text = localStorage.getItem(key);
    return text === null ? usual : read(JSON.parse(text));
  } catch {
    return usual;
  }
}

/** Stores `value`; what is too large for the browser is not kept. */
export function store(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    localStorage.removeItem(key);
  }
}

/** A state that survives a reload. */
export function useKept<T>(key: string, read: (found: unknown) => T, usual: T): [T, (value: T | ((old: T) => T)) => void] {
  const [value, setValue] = useState(() => load(key, read, usual));
  useEffect(() => store(key, value), [key, value]);
  return [value, setValue];
}
