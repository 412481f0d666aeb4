import { IconBrain } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { decimal, seconds as said } from '@/text/format';
import { texts } from '@/text/texts';
import { Fold } from './Fold';
import { MarkdownText } from './MarkdownText';
import classes from './Message.module.css';

const useWords = texts({
  en: { running: (time: string) => `Thinking… ${time}`, done: (time: string) => `Thought for ${time}`, trace: 'Thoughts' },
  de: { running: (time: string) => `Denkt nach… ${time}`, done: (time: string) => `${time} nachgedacht`, trace: 'Gedanken' },
});

interface Props {
  text: string;
  /** How long it took; null where that is not known, or it still runs. */
  seconds: number | null;
  /** Milliseconds since 1970 at which it began, while it runs; null when it has ended. */
  since?: number | null;
}

/** What the model thought before its answer, folded away until somebody wants it. */
export function Thinking({ text, seconds, since = null }: Props) {
  const say = useWords();
  const label = since !== null ? <Running since={since} say={say.running} /> : seconds === null ? say.trace : say.done(said(seconds));
  return (
    <Fold icon={<IconBrain size={16} aria-hidden />} label={label}>
      <div className={classes.trace}>
        <MarkdownText text={text} isGrowing={since !== null} heading={3} />
      </div>
    </Fold>
  );
}

const TICK_MS = 100;

/** How long something runs by now. */
function Running({ since, say }: { since: number; say: (time: string) => string }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const clock = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(clock);
  }, []);
  return say(`${decimal(Math.max(0, (now - since) / 1000), 1)} s`);
}
