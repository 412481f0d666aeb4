import { expect, test } from 'vitest';
import { hasMore, merged } from './merge';
import { type Document, type Node, pathOf } from './thread';

function document(head: string | null, ...rows: string[]): Document {
  const nodes = rows.map((row, place): [string, Node] => {
    const [id = '', parent = '', content = id] = row.split(':');
    return [id, { id, parent: parent === '' ? null : parent, created: place, role: 'user', content }];
  });
  return { version: 1, head, nodes: Object.fromEntries(nodes), settings: {} };
}

const shown = (one: Document) => pathOf(one).map((node) => node.content as string);

test.each([
  ['the same', document('b', 'a', 'b:a'), document('b', 'a', 'b:a'), ['a', 'b'], 2],
  ['a message more there', document('b', 'a', 'b:a'), document('c', 'a', 'b:a', 'c:b'), ['a', 'b', 'c'], 3],
  ['a message more here', document('c', 'a', 'b:a', 'c:b'), document('b', 'a', 'b:a'), ['a', 'b', 'c'], 3],
  ['one here and one there', document('c', 'a', 'b:a', 'c:b'), document('d', 'a', 'b:a', 'd:b'), ['a', 'b', 'c'], 4],
  ['a longer answer there', document('b', 'a', 'b:a:Hel'), document('b', 'a', 'b:a:Hello'), ['a', 'Hello'], 2],
  ['a longer answer here', document('b', 'a', 'b:a:Hello'), document('b', 'a', 'b:a:Hel'), ['a', 'Hello'], 2],
  ['nothing here', document(null), document('b', 'a', 'b:a'), ['a', 'b'], 2],
])('%s', (_, ours, theirs, path, count) => {
  const both = merged(ours, theirs);
  expect(shown(both)).toEqual(path);
  expect(Object.keys(both.nodes)).toHaveLength(count);
  expect(hasMore(theirs, both)).toBe(false);
  expect(hasMore(ours, both)).toBe(false);
});

test('what the other has not is no more than what is here', () => {
  expect(hasMore(document('a', 'a'), document('b', 'a', 'b:a'))).toBe(false);
  expect(hasMore(document('b', 'a', 'b:a'), document('a', 'a'))).toBe(true);
});
