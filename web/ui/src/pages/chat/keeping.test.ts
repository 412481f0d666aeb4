import { expect, test } from 'vitest';
import type { ConversationSummary } from '@/api/conversations';
import { USUAL_SETTINGS } from '@/chat/settings';
import { emptyDocument } from '@/chat/thread';
import { type Kept, Keeper } from './keeping';

const SUMMARY: ConversationSummary = {
  id: 'conv-1', object: 'kronk.conversation', title: 'Hello', titled_by: 'first_message', model: 'Tiny', created: 1, updated: 1, archived: false, messages: 2, revision: 3,
};

test.each([
  ['of what is kept', 3, 'A title'],
  ['of a change elsewhere', 4, 'A title'],
  ['that was overtaken by a change', 2, 'Hello'],
])("the server's word %s", (_, revision, title) => {
  let kept: Kept | null = null;
  const onState = (now: Kept) => (kept = now);
  const keeper = new Keeper(SUMMARY, () => emptyDocument(USUAL_SETTINGS), { onState, onMerged: () => undefined });
  keeper.learn({ ...SUMMARY, revision, title: 'A title', titled_by: 'model' });
  expect((kept as Kept | null)?.summary?.title ?? SUMMARY.title).toBe(title);
});
