import { Anchor, Box, Button, Code, Paper } from '@mantine/core';
import { memo, useEffect, useRef, useState } from 'react';
import { CopyButton } from '@/components/CopyButton';
import classes from './LineList.module.css';
import { factsOf, type NumberedLine, timeOf } from './lines';
import { useLogsTexts } from './texts';

/** Pixels from the end within which one is at the end. */
const NEAR = 40;

interface Props {
  lines: readonly NumberedLine[];
  onRequest: (id: string) => void;
}

/** The lines, scrolled with the newest as long as one is at the end. */
export function LineList({ lines, onRequest }: Props) {
  const say = useLogsTexts();
  const box = useRef<HTMLDivElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  useEffect(() => {
    if (!isAtEnd) return undefined;
    const toEnd = () => {
      if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
    };
    toEnd();
    // Rows that come into view only then have their real height.
    const frame = requestAnimationFrame(toEnd);
    return () => cancelAnimationFrame(frame);
  }, [lines, isAtEnd]);
  const scrolled = () => {
    const { scrollTop, clientHeight, scrollHeight } = box.current ?? { scrollTop: 0, clientHeight: 0, scrollHeight: 0 };
    setAtEnd(scrollHeight - scrollTop - clientHeight < NEAR);
  };
  return (
    <Box pos="relative">
      <Paper ref={box} className={classes.box} onScroll={scrolled} tabIndex={0} role="log" aria-live="off" aria-label={say.lines}>
        {lines.map((one) => (
          <Row key={one.number} one={one} onRequest={onRequest} />
        ))}
      </Paper>
      {!isAtEnd && (
        <Button className={classes.toEnd} size="xs" onClick={() => setAtEnd(true)}>
          {say.toEnd}
        </Button>
      )}
    </Box>
  );
}

const Row = memo(function Row({ one: { line }, onRequest }: { one: NumberedLine; onRequest: (id: string) => void }) {
  const say = useLogsTexts();
  const [isOpen, setOpen] = useState(false);
  const { request_id: request } = line;
  return (
    <div className={classes.row} data-level={line.level ?? 'info'}>
      <button type="button" className={classes.line} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span className={classes.time}>{timeOf(line)}</span>
        <span className={classes.level}>{line.level ?? ''}</span>
        <span className={classes.process}>{line.process ?? ''}</span>
        <span className={classes.text}>
          <b>{line.event}</b> <span className={classes.facts}>{factsOf(line)}</span>
        </span>
      </button>
      {isOpen && (
        <Box px="sm" pb="sm">
          {request !== undefined && (
            <Anchor component="button" type="button" size="sm" mr="md" onClick={() => onRequest(request)}>
              {say.onlyRequest(request)}
            </Anchor>
          )}
          <CopyButton value={() => JSON.stringify(line, null, 2)} />
          <Code block>{JSON.stringify(line, null, 2)}</Code>
        </Box>
      )}
    </div>
  );
});
