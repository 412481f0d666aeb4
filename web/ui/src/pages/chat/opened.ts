import { getConversation, listConversations } from '@/api/conversations';
import { hasMore, merged } from '@/chat/merge';
import { type ChatSettings, settingsOf } from '@/chat/settings';
import { forgetPreparedSystem, preparedSystem } from '@/chat/draft';
import { type Document, emptyDocument } from '@/chat/thread';
import { OpenConversation } from './openConversation';
import { rememberedSettings } from './remembered';

/** The conversations that were opened since the page was loaded, by id: their answers go on unseen. */
const opened = new Map<string, OpenConversation>();
let fresh: OpenConversation | null = null;
/** What the page before this one had begun and could not keep. */
let begun: OpenConversation | null = null;

/** The one that has no message yet, of which there is always just one; first of all, what `begun` says. */
export function freshConversation(): OpenConversation {
  if (begun?.snapshot().summary === null) return begun;
  if (fresh === null || fresh.snapshot().document.head !== null) {
    const left = fresh === null ? takeLeft(UNNAMED) : null;
    const settings = { ...rememberedSettings(), system: preparedSystem() };
    const made = new OpenConversation(left ?? emptyDocument(settings), null);
    fresh = made;
    made.subscribe(() => {
      const { summary } = made.snapshot();
      if (summary !== null) opened.set(summary.id, made);
    });
    if (left !== null) {
      begun = made;
      void keepBegun(made);
    }
  } else if (preparedSystem() !== '') {
    const { settings } = fresh.snapshot().document;
    fresh.set({ ...settings, system: preparedSystem() });
  }
  forgetPreparedSystem();
  return fresh;
}

/** Keeps it, as a new one unless the request of the page before has got to the server after all. */
async function keepBegun(conversation: OpenConversation): Promise<void> {
  const { nodes } = conversation.snapshot().document;
  try {
    const { data } = await listConversations({ limit: LATELY });
    const kept = (await Promise.all(data.map(({ id }) => getConversation(id)))).find(({ document }) => Object.keys(document.nodes).some((id) => id in nodes));
    if (kept !== undefined) conversation.learn(kept);
  } catch {
    // Then it is there twice, at the worst.
  }
  conversation.save();
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
// In the place of an id, for one that the server has not told the id of.
const UNNAMED = '';
// Of how many of the last conversations one that was begun may be.
const LATELY = 3;
// Characters of what browsers still send for a page that is gone.
const MOST_AT_THE_END = 40_000;

/** Leaves behind what the server may not have yet, for the page that is loaded next in this tab. */
function leave(): void {
  for (const [id, conversation] of opened) {
    const { saving, running } = conversation.snapshot();
    if (saving === 'saved' && running === null) continue;
    if (leaveOne(id, conversation) < MOST_AT_THE_END) conversation.saveLast();
  }
  const newest = fresh?.snapshot();
  if (fresh !== null && newest?.summary === null && newest.document.head !== null) leaveOne(UNNAMED, fresh);
  else sessionStorage.removeItem(LEFT + UNNAMED);
}

/** How many characters that are. */
function leaveOne(id: string, conversation: OpenConversation): number {
  const text = JSON.stringify(conversation.complete());
  try {
    sessionStorage.setItem(LEFT + id, text);
  } catch {
    // Too large for the browser: what the server has by now will have to do.
  }
  return text.length;
}

function takeLeft(id: string): Document<ChatSettings> | null {
  const text = sessionStorage.getItem(LEFT + id);
  sessionStorage.removeItem(LEFT + id);
  if (text === null) return null;
  const document = JSON.parse(text) as Document;
  return { ...document, settings: settingsOf(document.settings) };
}

addEventListener('pagehide', leave);
