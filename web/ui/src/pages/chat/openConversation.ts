import { type ConversationSummary, makeTitle } from '@/api/conversations';
import { ask, type Connection, isThisKronk } from '@/chat/connection';
import { beginningOf, continuingBody, joined } from '@/chat/continuing';
import { requestBody, type Presets } from '@/chat/request';
import type { ChatSettings } from '@/chat/settings';
import { type Answer, AnswerReader, messageOf, readAnswer } from '@/chat/stream';
import { append, beside, branchAt, type Content, contentOf, type Document, mediaOf, newId, type Node, nodeOf, patch, pathOf, select, without, withNode } from '@/chat/thread';
import { Keeper, type Kept } from './keeping';
import { unlessLeaving } from './leaving';

export interface Shown extends Kept {
  document: Document<ChatSettings>;
  /** The message that is being answered now. */
  running: string | null;
  /** Whether changes from elsewhere came in. */
  isJoined: boolean;
}

/** An answer on its way. */
export interface Live {
  node: string;
  answer: Answer | null;
  /** Milliseconds since 1970. */
  since: number;
  thinkingSince: number | null;
}

export interface Asking {
  connection: Connection;
  presets: Presets;
}

const SAVE_SOON = 700;
const SAVE_WHILE_ANSWERING = 3000;
// A document with images is large: it is not sent as often.
const SAVE_LARGE = 15_000;

/**
 * A conversation that was opened: its document, the answer that comes in, and how far it is kept.
 *
 * It lives outside of the page: an answer goes on while one looks at something else. What changes with each
 * token (`live`) is told apart from the rest, so that a page draws only the message that grows.
 */
export class OpenConversation {
  private shown: Shown;
  private live: Live | null = null;
  private stopper: AbortController | null = null;
  private readonly keeper: Keeper;
  private readonly listeners = new Set<() => void>();
  private readonly liveListeners = new Set<() => void>();

  constructor(document: Document<ChatSettings>, summary: ConversationSummary | null) {
    this.shown = { document, running: null, isJoined: false, saving: 'saved', problem: null, summary };
    this.keeper = new Keeper(summary, () => this.complete(), {
      onState: (kept) => this.show(kept),
      onMerged: (joined) => this.show({ document: joined, isJoined: true }),
    });
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = () => this.shown;
  readonly subscribeLive = (listener: () => void) => {
    this.liveListeners.add(listener);
    return () => this.liveListeners.delete(listener);
  };
  readonly liveSnapshot = () => this.live;

  /** The document with the answer as far as it has come. */
  complete(): Document<ChatSettings> {
    const { document } = this.shown;
    if (this.live?.answer == null) return document;
    // Without a reason for its end: who finds it so knows that it was broken off.
    return patch(document, this.live.node, { ...messageOf(this.live.answer, document.settings.model), finish_reason: undefined });
  }

  /** Asks with a new message at the end. */
  send(content: Content, asking: Asking): void {
    this.put(append(this.shown.document, { role: 'user', content }));
    void this.answer(asking);
  }

  /** Asks again with another text in the place of the message `id`; what followed stays in its branch. */
  resend(id: string, content: Content, asking: Asking): void {
    this.put(beside(this.shown.document, id, { role: 'user', content }));
    void this.answer(asking);
  }

  /** Another answer beside `id`. */
  regenerate(id: string, asking: Asking): void {
    const node = this.shown.document.nodes[id];
    if (node === undefined) return;
    this.put(branchAt(this.shown.document, node.parent));
    void this.answer(asking);
  }

  /** The rest of the answer `id`, which was cut or broke off, at its end. */
  continueAnswer(id: string, asking: Asking): void {
    const node = this.shown.document.nodes[id];
    if (node === undefined) return;
    const content = contentOf(beginningOf(node), mediaOf(node.content));
    this.put(patch(branchAt(this.shown.document, id), id, { content, error: undefined, finish_reason: undefined }));
    void this.answer(asking, node);
  }

  /** An answer in the user's own words, beside the model's. */
  rewrite(id: string, content: Content): void {
    const node = this.shown.document.nodes[id];
    if (node !== undefined) this.put(beside(this.shown.document, id, { role: node.role, content, finish_reason: 'stop', ...(node.model !== undefined && { model: node.model }) }));
  }

  choose(id: string): void {
    this.put(select(this.shown.document, id));
  }

  branch(id: string): void {
    this.put(branchAt(this.shown.document, id));
  }

  remove(id: string): void {
    this.put(without(this.shown.document, id));
  }

  set(settings: ChatSettings): void {
    const { document, summary } = this.shown;
    const next = { ...document, settings };
    // Of a conversation without a message there is nothing to keep.
    if (summary === null && document.head === null) this.show({ document: next });
    else this.put(next);
  }

  learn(summary: ConversationSummary): void {
    this.keeper.learn(summary);
  }

  /** Another version of it, that the server has. */
  replace(document: Document<ChatSettings>, summary: ConversationSummary): void {
    this.keeper.learn(summary);
    this.show({ document, saving: 'saved', problem: null });
  }

  seen(): void {
    this.show({ isJoined: false });
  }

  save(): void {
    void this.keeper.save();
  }

  /** The page is about to be gone. */
  saveLast(): void {
    this.keeper.saveLast();
  }

  stop(): void {
    this.stopper?.abort();
  }

  forget(): void {
    this.keeper.forget();
    this.stop();
  }

  /** Asks for what follows the head; with `begun`, for the rest of that message, which is the head. */
  private async answer({ connection, presets }: Asking, begun?: Node): Promise<void> {
    if (this.shown.running !== null) return;
    const { document } = this.shown;
    const plain = requestBody(pathOf(document), document.settings, connection.dialect, presets);
    const body = begun === undefined ? plain : continuingBody(plain, connection.dialect);
    const whole = (came: Answer) => (begun === undefined ? came : joined(begun, came));
    const node = begun?.id ?? newId();
    const stopper = new AbortController();
    this.stopper = stopper;
    const empty = nodeOf({ role: 'assistant', content: '', model: document.settings.model }, document.head, node);
    this.show({ document: begun === undefined ? withNode(document, empty) : document, running: node });
    this.keeper.touch(0);
    const since = Date.now();
    let thinkingSince: number | null = null;
    this.goOn({ node, answer: begun === undefined ? null : joined(begun, new AnswerReader().answer()), since, thinkingSince });
    const pause = hasMedia(document) ? SAVE_LARGE : SAVE_WHILE_ANSWERING;
    const answer = await readAnswer(() => ask(connection, body, stopper.signal), {
      onProgress: (came) => {
        if (came.state === 'thinking') thinkingSince ??= Date.now();
        this.goOn({ node, answer: whole(came), since, thinkingSince: came.state === 'thinking' ? thinkingSince : null });
        if (came.content !== '' || came.reasoning !== '') this.keeper.touch(pause);
      },
    });
    // A page that is left breaks its connections; what it leaves behind is no failure.
    if (answer.error?.code === 'connection_lost') await unlessLeaving();
    // What it ended with before is over.
    const ended = { error: undefined, finish_reason: undefined, ...messageOf(whole(answer), document.settings.model) };
    this.show({ document: patch(this.shown.document, node, ended), running: null });
    this.goOn(null);
    await this.keeper.save();
    if (answer.state === 'done' && isThisKronk(connection)) await this.nameIt();
  }

  /** Has the model find a title, once. Where it cannot, the first message is one. */
  private async nameIt(): Promise<void> {
    const { summary, document } = this.shown;
    if (summary === null || summary.titled_by !== 'first_message' || pathOf(document).length > 2) return;
    const named = await makeTitle(summary.id).catch(() => null);
    if (named !== null && this.shown.summary?.id === named.id) this.keeper.learn(named);
  }

  private put(document: Document<ChatSettings>): void {
    this.show({ document });
    this.keeper.touch(SAVE_SOON);
  }

  private show(change: Partial<Shown>): void {
    this.shown = { ...this.shown, ...change };
    for (const listener of this.listeners) listener();
  }

  private goOn(live: Live | null): void {
    this.live = live;
    for (const listener of this.liveListeners) listener();
  }
}

function hasMedia(document: Document<unknown>): boolean {
  return Object.values(document.nodes).some(({ content }) => mediaOf(content).length > 0);
}
