import { useCallback, useState } from 'react';
import { draftOf, keepDraft } from '@/chat/draft';
import { type Attachment, attachmentOf, FileRefused } from './files';

export interface Drafting {
  text: string;
  setText: (text: string) => void;
  attachments: readonly Attachment[];
  attach: (files: File[]) => void;
  detach: (id: string) => void;
  /** Files that could not be taken. */
  refusals: readonly FileRefused[];
  clear: () => void;
}

/** The message that is being written in a conversation; its text survives a reload. */
export function useDraft(conversation: string | null): Drafting {
  const [text, put] = useState(() => draftOf(conversation));
  const [attachments, setAttachments] = useState<readonly Attachment[]>([]);
  const [refusals, setRefusals] = useState<readonly FileRefused[]>([]);

  const setText = (typed: string) => {
    put(typed);
    keepDraft(conversation, typed);
  };

  const attach = useCallback((files: File[]) => {
    setRefusals([]);
    for (const file of files) {
      attachmentOf(file).then(
        (attachment) => setAttachments((all) => [...all, attachment]),
        (error: unknown) => setRefusals((all) => [...all, error instanceof FileRefused ? error : new FileRefused('unreadable', file.name)]),
      );
    }
  }, []);

  return {
    text,
    setText,
    attachments,
    attach,
    detach: (id) => setAttachments((all) => all.filter((one) => one.id !== id)),
    refusals,
    clear: () => {
      setText('');
      setAttachments([]);
      setRefusals([]);
    },
  };
}
