import { describe, expect, test } from 'vitest';
import { append, beside, branchAt, childrenOf, contentOf, type Document, emptyDocument, mediaOf, type Node, patch, pathOf, select, siblingsOf, textOf, without } from './thread';

// a - b - c
//       \ d - e
//   \ f
const tree = (head: string): Document => ({ version: 1, head, nodes: Object.fromEntries(['a', 'b:a', 'c:b', 'd:b', 'e:d', 'f:a'].map(row)), settings: {} });

function row(text: string, place: number): [string, Node] {
  const [id = '', parent = null] = text.split(':');
  return [id, { id, parent, created: place, role: 'user', content: `text of ${id}` }];
}

const ids = (nodes: readonly Node[]) => nodes.map((node) => node.id).join('');

describe('paths', () => {
  test.each([
    ['c', 'abc'],
    ['e', 'abde'],
    ['f', 'af'],
    ['gone', ''],
  ])('to %s leads %s', (head, path) => {
    expect(ids(pathOf(tree(head)))).toBe(path);
  });

  test('ends where a circle would begin', () => {
    const circle = tree('b');
    expect(ids(pathOf({ ...circle, nodes: { ...circle.nodes, a: { ...circle.nodes.a!, parent: 'b' } } }))).toBe('ab');
  });
});

test.each([
  ['c', 'cd'],
  ['b', 'bf'],
  ['a', 'a'],
  ['gone', ''],
])('beside %s stand %s', (id, siblings) => {
  expect(ids(siblingsOf(tree('c'), id))).toBe(siblings);
});

test.each([
  ['b', 'abde'],
  ['c', 'abc'],
  ['f', 'af'],
])('choosing %s looks at its newest branch, %s', (id, path) => {
  expect(ids(pathOf(select(tree('c'), id)))).toBe(path);
});

test('a message is added at the end of what is looked at', () => {
  const added = append(branchAt(tree('c'), 'b'), { role: 'user', content: 'new' });
  expect(pathOf(added).map((node) => node.content)).toEqual(['text of a', 'text of b', 'new']);
  expect(childrenOf(added, 'b')).toHaveLength(3);
});

test('an edited message stands beside the old one, and nothing follows it', () => {
  const edited = beside(tree('e'), 'b', { role: 'user', content: 'other' });
  expect(pathOf(edited).map((node) => node.content)).toEqual(['text of a', 'other']);
  expect(siblingsOf(edited, edited.head!)).toHaveLength(3);
  expect(ids(pathOf(select(edited, 'b')))).toBe('abde');
});

test('the first message has branches, too', () => {
  const edited = beside(tree('e'), 'a', { role: 'user', content: 'other' });
  expect(siblingsOf(edited, 'a')).toHaveLength(2);
  expect(pathOf(edited)).toHaveLength(1);
});

test.each([
  ['e', 'e', 'abd', 'abcdf'],
  ['e', 'd', 'abc', 'abcf'],
  ['e', 'b', 'af', 'af'],
  ['e', 'a', '', ''],
  ['f', 'b', 'af', 'af'],
  ['f', 'gone', 'af', 'abcdef'],
])('at %s without %s one looks at "%s", and "%s" are left', (head, id, path, left) => {
  const rest = without(tree(head), id);
  expect(ids(pathOf(rest))).toBe(path);
  expect(Object.keys(rest.nodes).join('')).toBe(left);
});

test('a message is changed in its place, and the others stay the same objects', () => {
  const before = tree('e');
  const changed = patch(before, 'b', { content: 'x' });
  expect(changed.nodes.b?.content).toBe('x');
  expect(changed.nodes.a).toBe(before.nodes.a);
  expect(patch(before, 'gone', { content: 'x' })).toBe(before);
});

test('a text without attachments stays a text', () => {
  const image = { type: 'image_url', image_url: { url: 'data:,' } } as const;
  expect(contentOf('hello', [])).toBe('hello');
  expect(contentOf('', [image])).toEqual([image]);
  expect(textOf(contentOf('hello', [image]))).toBe('hello');
  expect(mediaOf(contentOf('hello', [image]))).toEqual([image]);
  expect(mediaOf('hello')).toEqual([]);
});

test('a new document is empty', () => {
  expect(pathOf(emptyDocument({}))).toEqual([]);
});
