import type { QueryClient } from '@tanstack/react-query';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import { askAgain, forget, stop } from './api';
import type { useBenchmarkTexts } from './texts';

type Words = ReturnType<typeof useBenchmarkTexts>;

/** Asks, and deletes a run; `onDone` when it is gone. */
export function deleteFirst(say: Words, queries: QueryClient, id: string, onDone: () => void = () => undefined): void {
  confirmFirst({
    title: say.removeAsk.title,
    text: say.removeAsk.text,
    confirm: say.remove,
    cancel: say.removeAsk.cancel,
    onConfirm: () => done(say.removed, queries, async () => {
      await forget(id);
      onDone();
    }),
  });
}

/** Asks, and stops a run. */
export function stopFirst(say: Words, queries: QueryClient, id: string): void {
  confirmFirst({
    title: say.stopAsk.title,
    text: say.stopAsk.text,
    confirm: say.stop,
    cancel: say.stopAsk.cancel,
    onConfirm: () => done(say.stopped, queries, () => stop(id)),
  });
}

async function done(words: string, queries: QueryClient, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
    tellDone(words);
  } catch (error) {
    tellError(error);
  }
  await askAgain(queries);
}
