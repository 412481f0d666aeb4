import { useQueryClient } from '@tanstack/react-query';
import { changePrompt, createPrompt, deletePrompt, exportPrompts, type Prompt, PROMPTS_KEY } from '@/api/prompts';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import { download } from '@/text/download';
import { usePromptsTexts } from './texts';

/** What one does with prompts; all of it makes the list anew. */
export function usePromptActions() {
  const say = usePromptsTexts();
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: PROMPTS_KEY });
  const done = async (work: Promise<unknown>, words?: string) => {
    try {
      await work;
      if (words !== undefined) tellDone(words);
    } catch (error) {
      tellError(error);
    } finally {
      await refresh();
    }
  };
  return {
    refresh,
    favour: (prompt: Prompt) => done(changePrompt(prompt.id, { favourite: !prompt.favourite })),
    duplicate: ({ name, text, description, category, kind }: Prompt) =>
      done(createPrompt({ name: say.copyOf(name).slice(0, 120), text, description, category, kind, favourite: false })),
    copyText: ({ text }: Prompt) => navigator.clipboard.writeText(text).then(() => tellDone(say.copied), tellError),
    export: () => exportPrompts().then((blob) => download('prompts.json', blob), tellError),
    remove: (prompt: Prompt, onGone: () => void = () => undefined) =>
      confirmFirst({
        title: say.deleteTitle,
        text: say.deleteText(prompt.name),
        confirm: say.delete,
        cancel: say.cancel,
        onConfirm: () => done(deletePrompt(prompt.id).then(onGone), say.deleted),
      }),
  };
}

export type PromptActions = ReturnType<typeof usePromptActions>;
