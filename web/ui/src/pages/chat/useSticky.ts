import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

// So near to the end one is at it.
const NEAR = 48;

interface Sticky {
  scroll: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  isAtEnd: boolean;
  toEnd: () => void;
}

/** Keeps the end of what grows in sight, until one scrolls up; at the end again it goes on. A new `wish` that is
 * not null goes to the end, too. */
export function useSticky(wish: string | null): Sticky {
  const scroll = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const last = useRef(0);
  const [isAtEnd, setAtEnd] = useState(true);

  const toEnd = useCallback(() => {
    sticks.current = true;
    scroll.current?.scrollTo({ top: scroll.current.scrollHeight });
  }, []);

  useLayoutEffect(() => {
    if (wish !== null) toEnd();
  }, [wish, toEnd]);

  useEffect(() => {
    const box = scroll.current;
    const inner = content.current;
    if (box === null || inner === null) return;
    const moved = () => {
      const isNear = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
      // Only a move upwards is a wish: growing content moves nothing.
      if (isNear) sticks.current = true;
      else if (box.scrollTop < last.current) sticks.current = false;
      last.current = box.scrollTop;
      setAtEnd(isNear || sticks.current);
    };
    const grown = new ResizeObserver(() => {
      if (sticks.current) box.scrollTop = box.scrollHeight;
    });
    grown.observe(inner);
    grown.observe(box);
    box.addEventListener('scroll', moved, { passive: true });
    return () => {
      grown.disconnect();
      box.removeEventListener('scroll', moved);
    };
  }, []);

  return { scroll, content, isAtEnd, toEnd };
}
