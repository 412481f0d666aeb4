import { useCallback, useEffect, useRef, useState } from 'react';
import { ask, THIS_KRONK } from '@/chat/connection';
import { readAnswer } from '@/chat/stream';
import { load, store } from '@/preferences/kept';
import { type Action, IDLE, isWaiting, type Loop, loopOf, next } from './loop';
import { requestOf, type Setup } from './setup';

const KEY = 'kronk.tools.loop';

/** The loop, and what drives it; what has come survives a reload. */
export function useLoop() {
  const [loop, setLoop] = useState<Loop>(() => load(KEY, loopOf, IDLE));
  const current = useRef(loop);
  const stopper = useRef<AbortController | null>(null);
  useEffect(() => () => stopper.current?.abort(), []);
  useEffect(() => {
    if (loop.state !== 'asking') store(KEY, loop);
  }, [loop]);

  const apply = useCallback((action: Action) => {
    current.current = next(current.current, action);
    setLoop(current.current);
  }, []);

  /** Takes a step: sends results that wait, or begins anew where none do. With `isWhole` until the end. */
  const run = useCallback(
    async (setup: Setup, isWhole: boolean) => {
      const stop = new AbortController();
      stopper.current?.abort();
      stopper.current = stop;
      if (isWaiting(current.current)) apply({ type: 'send' });
      else apply({ type: 'begin', messages: [{ role: 'user', content: setup.prompt }] });
      // Who goes on from the limit is allowed as many steps again.
      const limit = current.current.steps.length + setup.limit;
      for (;;) {
        const request = requestOf(setup, current.current.messages);
        apply({ type: 'ask', request });
        const answer = await readAnswer(() => ask(THIS_KRONK, request, stop.signal), { onProgress: (some) => apply({ type: 'progress', answer: some }) });
        if (stopper.current !== stop) return;
        apply({ type: 'answered', answer, tools: setup.tools, limit });
        if (!isWhole || current.current.state !== 'calling') return;
        apply({ type: 'send' });
      }
    },
    [apply],
  );

  const stop = useCallback(() => stopper.current?.abort(), []);
  const reset = useCallback(() => {
    stopper.current?.abort();
    stopper.current = null;
    apply({ type: 'reset' });
  }, [apply]);
  const change = useCallback((step: number, call: number, result: string) => apply({ type: 'result', step, call, result }), [apply]);
  return { loop, run, stop, reset, change };
}
