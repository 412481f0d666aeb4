import { getConversation } from '@/api/conversations';
import { hasMore, merged } from '@/chat/merge';
import { type ChatSettings, settingsOf } from '@/chat/settings';
import { forgetPreparedSystem, preparedSystem } from '@/chat/draft';
import { type Document, emptyDocument } from '@/chat/thread';
import { OpenConversation } from './openConversation';
import { rememberedSettings } from './remembered';

/** The conversations that were opened since the page was loaded, by id: their answers go on unseen. */
const opened = new Map<string, OpenConversation>();
let fresh: OpenConversation | null = null;

/** The one that has no message yet; there is always just one. */
export function freshConversation(): OpenConversation {
  if (fresh === null || fresh.snapshot().document.head !== null) {
    const settings = { ...rememberedSettings(), system: preparedSystem() };
    fresh = new OpenConversation(emptyDocument(settings), null);
    const made = fresh;
    made.subscribe(() => {
      const { summary } = made.snapshot();
      if (summary !== null) opened.set(summary.id, made);
    });
  } else if (preparedSystem() !== '') {
    const { settings } = fresh.snapshot().document;
    fresh.set({ ...settings, system: preparedSystem() });
  }
  forgetPreparedSystem();
  return fresh;
}

/** The conversation `id`, as it is here or at the server; throws ApiError. */
export async function openConversation(id: string, signal?: AbortSignal): Promise<OpenConversation> {
  const known = opened.get(id);
  if (known !== undefined && known.snapshot().saving !== 'saved') return known;
  const { document, ...summary } = await getConversation(id, signal);
  const theirs: Document<ChatSettings> = { ...document, settings: settingsOf(document.settings) };
  const left = takeLeft(id);
  // Its request may have changed it while it was on its way.
  const now = opened.get(id);
  if (now !== undefined) {
    const { summary: own, saving, running } = now.snapshot();
    if (saving === 'saved' && running === null && (own?.revision ?? 0) < summary.revision) now.replace(theirs, summary);
    else if (own?.revision === summary.revision) now.learn(summary);
    return now;
  }
  const isNewer = left !== null && hasMore(left, theirs);
  const conversation = new OpenConversation(isNewer ? merged(left, theirs) : theirs, summary);
  opened.set(id, conversation);
  if (isNewer) conversation.save();
  return conversation;
}

/** It was deleted. */
export function forgetConversation(id: string): void {
  opened.get(id)?.forget();
  opened.delete(id);
}

export function openedConversation(id: string): OpenConversation | undefined {
  return opened.get(id);
}

const LEFT = 'kronk.unsaved:';
// Characters of what browsers still send for a page that is gone.
const MOST_AT_THE_END = 40_000;

/** Leaves behind what the server may not have yet, for the page that is loaded next in this tab. */
function leave(): void {
  for (const [id, conversation] of opened) {
    const { saving, running } = conversation.snapshot();
    if (saving === 'saved' && running === null) continue;
    const text = JSON.stringify(conversation.complete());
    try {
      sessionStorage.setItem(LEFT + id, text);
    } catch {
      // Too large for the browser: what the server has by now will have to do.
    }
    if (text.length < MOST_AT_THE_END) conversation.saveLast();
  }
}

function takeLeft(id: string): Document<ChatSettings> | null {
  const text = sessionStorage.getItem(LEFT + id);
  sessionStorage.removeItem(LEFT + id);
  if (text === null) return null;
  const document = JSON.parse(text) as Document;
  return { ...document, settings: settingsOf(document.settings) };
}

addEventListener('pagehide', leave);
