import { type Document, leafOf, type Node } from './thread';

/** What two versions of one conversation have together: all messages of both, looking at ours. Of a message that both
 * have, ours is taken unless theirs says more; so nothing that was written is lost. */
export function merged<S>(ours: Document<S>, theirs: Document<unknown>): Document<S> {
  const nodes: Record<string, Node> = { ...theirs.nodes };
  for (const [id, node] of Object.entries(ours.nodes)) {
    const other = theirs.nodes[id];
    nodes[id] = other !== undefined && weight(other) > weight(node) ? other : node;
  }
  const all = { ...ours, nodes };
  // Where we have nothing new, what came after our end elsewhere is what one wants to see.
  const head = ours.head === null ? theirs.head : leafOf(all, ours.head);
  return { ...all, head };
}

/** Whether `theirs` has anything that `ours` has not. */
export function hasMore(theirs: Document<unknown>, ours: Document<unknown>): boolean {
  return Object.entries(theirs.nodes).some(([id, node]) => {
    const own = ours.nodes[id];
    return own === undefined || weight(node) > weight(own);
  });
}

/** A finished answer says more than one that was kept on its way. */
function weight(node: Node): number {
  const text = typeof node.content === 'string' ? node.content.length : JSON.stringify(node.content).length;
  return text + (node.reasoning?.length ?? 0) + (node.finish_reason === undefined ? 0 : 1);
}
