import { childrenOf, type Document } from '@/chat/thread';

/** How many messages a message and all that follows it are, in all branches. */
export function followersOf(document: Document<unknown>, id: string): number {
  return childrenOf(document, id).reduce((sum, child) => sum + followersOf(document, child.id), 1);
}
