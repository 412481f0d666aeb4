import { type Language, useLanguage } from './language';

/** What a page says: strings, and functions for those that hold something. */
export interface Texts {
  [key: string]: string | ((...values: never[]) => string) | Texts;
}

/** The same shape with other words: functions keep their parameters, strings may be any. */
export type Translation<T> = {
  [K in keyof T]: T[K] extends string ? string : T[K] extends (...values: infer A) => string ? (...values: A) => string : Translation<T[K]>;
};

/**
 * A hook that gives the words in the user's language.
 *
 * Each page has its own, beside its components, so that they are loaded with it; the compiler sees
 * to it that every language says everything.
 */
export function texts<T extends Texts>(all: { en: T; de: Translation<T> }): () => Translation<T> {
  const byLanguage: Record<Language, Translation<T>> = { en: all.en as unknown as Translation<T>, de: all.de };
  return function useTexts() {
    return byLanguage[useLanguage()];
  };
}

/** `one` for 1, else `many`; both languages we speak have just these. */
export function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
