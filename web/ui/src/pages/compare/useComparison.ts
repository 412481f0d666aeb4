import { useCallback, useEffect, useRef, useState } from 'react';
import { ask, THIS_KRONK } from '@/chat/connection';
import { requestBody } from '@/chat/request';
import { readAnswer } from '@/chat/stream';
import { newId, nodeOf } from '@/chat/thread';
import { load, store } from '@/preferences/kept';
import { changed, isEnded, type Run, runOf, type Setup } from './comparison';

const KEY = 'kronk.compare.run';
// Answers of several models come at once: each need not be drawn at every token.
const PACE_MS = 80;

/** The comparison that runs, or ran last; it survives a reload. */
export function useComparison() {
  const [run, setRun] = useState<Run | null>(() => load(KEY, runOf, null));
  const stopper = useRef<AbortController | null>(null);
  const [isRunning, setRunning] = useState(false);
  useEffect(() => () => stopper.current?.abort(), []);
  // While it runs it changes many times a second.
  const isStill = run?.columns.every(({ answer }) => isEnded(answer)) === true;
  useEffect(() => {
    if (isStill) store(KEY, run);
  }, [isStill, run]);

  const begin = useCallback(async (setup: Setup) => {
    const stop = new AbortController();
    stopper.current?.abort();
    stopper.current = stop;
    setRunning(true);
    setRun({
      id: newId(),
      prompt: setup.prompt,
      system: setup.settings.system,
      columns: setup.models.map((model) => ({ model, answer: null, asked: null })),
    });
    const askOne = async (model: string, index: number) => {
      const change = (column: Parameters<typeof changed>[2]) => {
        if (stopper.current === stop) setRun((old) => old && changed(old, index, column));
      };
      const body = requestBody([nodeOf({ role: 'user', content: setup.prompt }, null)], { ...setup.settings, model });
      change({ asked: Date.now() });
      const answer = await readAnswer(() => ask(THIS_KRONK, body, stop.signal), { pace: PACE_MS, onProgress: (some) => change({ answer: some }) });
      change({ answer });
    };
    if (setup.order === 'together') {
      await Promise.all(setup.models.map(askOne));
    } else {
      for (const [index, model] of setup.models.entries()) await askOne(model, index);
    }
    if (stopper.current === stop) setRunning(false);
  }, []);

  const stop = useCallback(() => stopper.current?.abort(), []);
  return { run, isRunning, begin, stop };
}
