import { Skeleton, Stack, Text } from '@mantine/core';
import { lazy, Suspense, useId } from 'react';
import { texts } from '@/text/texts';

const CodeView = lazy(() => import('./editor/CodeView'));

const useWords = texts({
  en: {
    leave: 'Press Escape and then Tab to leave the editor.',
    problems: (count: string, first: string) => `${count} marked: ${first}`,
  },
  de: {
    leave: 'Mit Escape und dann Tab verlässt du den Editor.',
    problems: (count: string, first: string) => `${count} markiert: ${first}`,
  },
});

export type CodeLanguage = 'yaml' | 'json' | 'plain';

/** Something that is to be seen at a line. */
export interface CodeMark {
  /** From 1. */
  line: number;
  /** From 1; the whole line without. */
  column?: number | null;
  message: string;
  severity?: 'error' | 'warning' | 'info';
}

interface Props {
  value: string;
  /** Without it the text can be read and copied only. */
  onChange?: (value: string) => void;
  language?: CodeLanguage;
  label: string;
  /** Whether the label is for screen readers alone, where a heading says the same. */
  isLabelHidden?: boolean;
  description?: string;
  marks?: readonly CodeMark[];
  /** Scrolled to, and where the cursor goes, whenever it is another object. */
  goTo?: { line: number } | null;
  minHeight?: string;
  maxHeight?: string;
}

const NO_MARKS: readonly CodeMark[] = [];

/** An editor for code, loaded when it is first shown. */
export function CodeEditor({
  label, isLabelHidden = false, description, marks = NO_MARKS, language = 'plain', onChange, minHeight = '8rem', maxHeight = '34rem', value, goTo = null,
}: Props) {
  const say = useWords();
  const id = useId();
  const first = marks[0];
  return (
    <Stack gap={4}>
      {!isLabelHidden && (
        <Text size="sm" fw={500} id={`${id}-label`}>
          {label}
        </Text>
      )}
      {description !== undefined && (
        <Text size="xs" c="dimmed">
          {description}
        </Text>
      )}
      <Suspense fallback={<Skeleton height={minHeight} />}>
        <CodeView
          value={value}
          onChange={onChange}
          language={language}
          marks={marks}
          goTo={goTo}
          minHeight={minHeight}
          maxHeight={maxHeight}
          label={label}
          describedBy={`${id}-help`}
        />
      </Suspense>
      <span id={`${id}-help`} hidden>
        {[description, onChange === undefined ? '' : say.leave, first === undefined ? '' : say.problems(String(marks.length), first.message)].filter(Boolean).join(' ')}
      </span>
    </Stack>
  );
}
