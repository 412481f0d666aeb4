// @vitest-environment jsdom
import { expect, it } from 'vitest';
import { changesOf, draftOf, EMPTY, keepDraft } from './draft';

it('sends only what is another', () => {
  expect(changesOf(EMPTY, EMPTY)).toEqual({});
  expect(changesOf(EMPTY, { ...EMPTY, text: 'x', favourite: true })).toEqual({ text: 'x', favourite: true });
});

it('keeps what is not saved until it is', () => {
  expect(draftOf('a')).toBeNull();
  keepDraft('a', { fields: { ...EMPTY, name: 'x' }, version: 3 });
  expect(draftOf('a')).toEqual({ fields: { ...EMPTY, name: 'x' }, version: 3 });
  sessionStorage.setItem('kronk.prompt:b', '{"fields": {"name": "y"}}');
  expect(draftOf('b')).toEqual({ fields: { ...EMPTY, name: 'y' }, version: null });
  sessionStorage.setItem('kronk.prompt:b', 'nonsense');
  expect(draftOf('b')).toBeNull();
  keepDraft('a', null);
  expect(draftOf('a')).toBeNull();
});
