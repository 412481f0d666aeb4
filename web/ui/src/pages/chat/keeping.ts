import { changeConversation, type ConversationSummary, createConversation, getConversation } from '@/api/conversations';
import { ApiError } from '@/api/errors';
import { hasMore, merged } from '@/chat/merge';
import type { ChatSettings } from '@/chat/settings';
import type { Document } from '@/chat/thread';

export type Saving =
  /** The server has all of it. */
  | 'saved'
  /** It will be sent in a moment, or is being sent. */
  | 'pending'
  /** It could not be kept; it is tried again with the next change. */
  | 'failed';

export interface Kept {
  saving: Saving;
  problem: unknown;
  summary: ConversationSummary | null;
}

interface Watcher {
  onState: (kept: Kept) => void;
  /** The conversation was changed elsewhere too: this is both together. */
  onMerged: (document: Document<ChatSettings>) => void;
}

/** Keeps one conversation on the server: a moment after a change, one request at a time. */
export class Keeper {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private due = 0;
  private isSending = false;
  private isAgain = false;
  private isGone = false;
  private kept: Kept;

  constructor(
    summary: ConversationSummary | null,
    /** What is to be kept, as it is now. */
    private readonly read: () => Document<ChatSettings>,
    private readonly watcher: Watcher,
  ) {
    this.kept = { saving: 'saved', problem: null, summary };
  }

  /** Keeps it within `delay` milliseconds; a later call does not put it off for ever. */
  touch(delay: number): void {
    if (this.isGone) return;
    if (this.kept.saving === 'saved') this.tell({ saving: 'pending' });
    const due = Date.now() + delay;
    if (this.timer !== null && this.due <= due) return;
    this.clear();
    this.due = due;
    this.timer = setTimeout(() => void this.save(), delay);
  }

  /** The server's word on it, from elsewhere: a new title, archived. */
  learn(summary: ConversationSummary): void {
    // An answer that was long on its way knows less than what has been saved meanwhile.
    if (summary.revision >= (this.kept.summary?.revision ?? 0)) this.tell({ summary });
  }

  /** It was deleted: nothing of it is to come back. */
  forget(): void {
    this.isGone = true;
    this.clear();
  }

  async save(): Promise<void> {
    this.clear();
    if (this.isSending) {
      this.isAgain = true;
      return;
    }
    this.isSending = true;
    try {
      do {
        this.isAgain = false;
        await this.sendOnce();
      } while (this.isAgain && !this.isGone);
      if (this.timer === null) this.tell({ saving: 'saved', problem: null });
    } catch (problem) {
      this.tell({ saving: 'failed', problem });
    } finally {
      this.isSending = false;
    }
  }

  /** Sends it at once and waits for nothing: the page is about to be gone. */
  saveLast(): void {
    const { summary } = this.kept;
    if (summary === null || this.isGone) return;
    this.clear();
    // Nobody is left to be told.
    changeConversation(summary.id, { document: this.read(), revision: summary.revision }, true).catch(() => undefined);
  }

  private async sendOnce(): Promise<void> {
    const document = this.read();
    const model = document.settings.model === '' ? null : document.settings.model;
    const { summary } = this.kept;
    if (summary === null) {
      this.tell({ summary: await createConversation({ model, document }) });
      return;
    }
    try {
      this.tell({ summary: await changeConversation(summary.id, { model, document, revision: summary.revision }) });
    } catch (error) {
      if (!(error instanceof ApiError) || this.isGone) throw error;
      if (error.status === 409) await this.join(summary.id);
      // Somebody has deleted it meanwhile: what is looked at here is kept as a new one.
      else if (error.status === 404) this.tell({ summary: null });
      else throw error;
      this.isAgain = true;
    }
  }

  private async join(id: string): Promise<void> {
    const { document: theirs, ...summary } = await getConversation(id);
    this.tell({ summary });
    const ours = this.read();
    if (hasMore(theirs, ours)) this.watcher.onMerged(merged(ours, theirs));
  }

  private tell(change: Partial<Kept>): void {
    this.kept = { ...this.kept, ...change };
    if (!this.isGone) this.watcher.onState(this.kept);
  }

  private clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
