import type { QueryClient } from '@tanstack/react-query';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import { askAgain, askForLists, forget, stop } from './api';
import type { useBenchmarkTexts } from './texts';

type Words = ReturnType<typeof useBenchmarkTexts>;

/** Asks, and deletes a run; `onDone` when it is gone. */
export function deleteFirst(say: Words, queries: QueryClient, id: string, onDone: () => void = () => undefined): void {
  confirmFirst({
    title: say.removeAsk.title,
    text: say.removeAsk.text,
    confirm: say.remove,
    cancel: say.removeAsk.cancel,
    onConfirm: async () => {
      try {
        await forget(id);
        tellDone(say.removed);
        onDone();
      } catch (error) {
        tellError(error);
      }
      // Not the run itself: it is gone.
      await askForLists(queries);
    },
  });
}

/** Asks, and stops a run. */
export function stopFirst(say: Words, queries: QueryClient, id: string): void {
  confirmFirst({
    title: say.stopAsk.title,
    text: say.stopAsk.text,
    confirm: say.stop,
    cancel: say.stopAsk.cancel,
    onConfirm: async () => {
      try {
        await stop(id);
        tellDone(say.stopped);
      } catch (error) {
        tellError(error);
      }
      await askAgain(queries);
    },
  });
}
