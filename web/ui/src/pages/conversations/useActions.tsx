import { useQueryClient } from '@tanstack/react-query';
import { changeConversation, type ConversationSummary, CONVERSATIONS_KEY, deleteConversation, exportConversation } from '@/api/conversations';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import { download } from '@/text/download';
import { useConversationsTexts } from './texts';

/** What one does with conversations; all of it makes the lists anew. */
export function useActions(onGone: (ids: string[]) => void = () => undefined) {
  const say = useConversationsTexts();
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: CONVERSATIONS_KEY });
  /** Does it with one after the other; those after a failure stay as they are. */
  const each = async (rows: readonly ConversationSummary[], work: (row: ConversationSummary) => Promise<unknown>) => {
    try {
      for (const row of rows) await work(row);
      return true;
    } catch (error) {
      tellError(error);
      return false;
    } finally {
      await refresh();
    }
  };
  return {
    refresh,
    archive: (rows: readonly ConversationSummary[], archived: boolean) => each(rows, (row) => changeConversation(row.id, { archived })),
    rename: (row: ConversationSummary, title: string) => each([row], () => changeConversation(row.id, { title: title === '' ? null : title })),
    export: (rows: readonly ConversationSummary[], format: 'json' | 'markdown') => exportAll(rows, format).catch(tellError),
    remove: (rows: readonly ConversationSummary[]) => {
      const [first] = rows;
      if (first === undefined) return;
      confirmFirst({
        title: say.deleteTitle(rows.length),
        text: rows.length === 1 ? say.deleteText(first.title || say.untitled) : say.deleteMany(rows.length),
        confirm: say.delete,
        cancel: say.cancel,
        onConfirm: async () => {
          const isDone = await each(rows, (row) => deleteConversation(row.id));
          onGone(rows.map(({ id }) => id));
          if (isDone) tellDone(say.deleted(rows.length));
        },
      });
    },
  };
}

export type Actions = ReturnType<typeof useActions>;

/** One as the server names it; several in one file, which can be imported as a whole. */
async function exportAll(rows: readonly ConversationSummary[], format: 'json' | 'markdown'): Promise<void> {
  const files = [];
  for (const { id } of rows) files.push(await exportConversation(id, format));
  const [first] = files;
  if (first === undefined) return;
  if (files.length === 1) {
    download(first.name, first.blob);
    return;
  }
  const texts = await Promise.all(files.map(({ blob }) => blob.text()));
  if (format === 'markdown') {
    download('conversations.md', texts.join('\n---\n\n'), 'text/markdown');
    return;
  }
  const exports = texts.map((text) => JSON.parse(text) as { conversations: unknown[] });
  download('conversations.json', JSON.stringify({ ...exports[0], conversations: exports.flatMap(({ conversations }) => conversations) }), 'application/json');
}
