import { Alert, List, Loader, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconBraces, IconCheck, IconInfoCircle } from '@tabler/icons-react';
import { useMemo } from 'react';
import { ApiError } from '@/api/errors';
import type { Answer } from '@/chat/stream';
import { CodeEditor, type CodeMark } from '@/components/CodeEditor';
import { CopyButton } from '@/components/CopyButton';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { CodeBlock } from '@/components/message/CodeBlock';
import { MessageFooter } from '@/components/message/MessageFooter';
import { prettyJson } from '@/components/message/partialJson';
import { Thinking } from '@/components/message/Thinking';
import { Section } from '@/components/Section';
import { type Verdict, verdictOf } from './check';
import type { Asked } from './setup';
import { useStructuredTexts } from './texts';
import type { Violation } from './validate';

interface Props {
  /** As far as it has come. */
  growing: Answer | null;
  isRunning: boolean;
  asked: Asked | null;
}

export function AnswerView({ growing, isRunning, asked }: Props) {
  const say = useStructuredTexts();
  const answer = growing ?? asked?.answer ?? null;
  return (
    <Section title={say.answer} actions={answer !== null && answer.content !== '' && <CopyButton value={answer.content} />}>
      {answer === null ? <NoAnswer isRunning={isRunning} /> : <Answered answer={answer} isRunning={isRunning} asked={asked} />}
    </Section>
  );
}

function NoAnswer({ isRunning }: { isRunning: boolean }) {
  const say = useStructuredTexts();
  return isRunning ? <Loader size="sm" /> : <EmptyState as="h3" icon={IconBraces} title={say.none.title} text={say.none.text} />;
}

function Answered({ answer, isRunning, asked }: { answer: Answer; isRunning: boolean; asked: Asked | null }) {
  const say = useStructuredTexts();
  return (
    <Stack gap="sm">
      {answer.standing !== null && (
        <Text size="sm" c="dimmed">
          {answer.standing}
        </Text>
      )}
      {answer.reasoning !== '' && <Thinking text={answer.reasoning} seconds={answer.stats.thinking_seconds} />}
      {isRunning || asked === null ? <CodeBlock code={prettyJson(answer.content)} language="json" label={say.answer} /> : asked.answer.content !== '' && <Judged asked={asked} />}
      {answer.error !== null && <ErrorNotice error={new ApiError(answer.error.message, 0, answer.error.code)} />}
      {!isRunning && <MessageFooter stats={answer.stats} finish={answer.finish_reason ?? undefined} />}
    </Stack>
  );
}

const LOOKS = {
  fits: { color: 'teal', icon: IconCheck },
  unknown: { color: 'blue', icon: IconInfoCircle },
  unparsable: { color: 'red', icon: IconAlertTriangle },
  wrong: { color: 'red', icon: IconAlertTriangle },
} as const;

function Judged({ asked: { kind, forms, answer } }: { asked: Asked }) {
  const say = useStructuredTexts();
  const verdict = useMemo(() => verdictOf(kind, forms, answer.content), [kind, forms, answer.content]);
  const marks = useMarks(verdict);
  const { color, icon: Picture } = LOOKS[verdict.state];
  return (
    <>
      <Alert role="status" color={color} icon={<Picture aria-hidden />}>
        {/* A title would be in the alert's own colour, which is too pale on its ground. */}
        <Text size="sm" fw={600}>
          {say.verdicts[verdict.state]}
        </Text>
        <Faults verdict={verdict} />
        {answer.finish_reason === 'length' && <Text size="sm">{say.cut}</Text>}
      </Alert>
      <CodeEditor label={say.answer} isLabelHidden language={kind === 'regex' || kind === 'grammar' ? 'plain' : 'json'} value={verdict.text} marks={marks} minHeight="3rem" />
    </>
  );
}

function Faults({ verdict }: { verdict: Verdict }) {
  const say = useStructuredTexts();
  const words = useWords();
  if (verdict.state === 'unparsable') return <Text size="sm" className="breakable">{verdict.message}</Text>;
  if (verdict.state !== 'wrong') return null;
  return (
    <List size="sm">
      {verdict.faults.map((fault, index) => (
        <List.Item key={index}>
          {say.line(fault.line)}: {words(fault)}
        </List.Item>
      ))}
    </List>
  );
}

function useMarks(verdict: Verdict): CodeMark[] {
  const words = useWords();
  if (verdict.state === 'unparsable') return verdict.line === null ? [] : [{ line: verdict.line, message: verdict.message }];
  return verdict.state === 'wrong' ? verdict.faults.map((fault) => ({ line: fault.line, message: words(fault) })) : [];
}

/** What a fault is, in words, with its place. */
function useWords(): (fault: Violation) => string {
  const { violations: say, top } = useStructuredTexts();
  return ({ path, keyword, wanted }) => {
    const place = path.length === 0 ? top : path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('').replace(/^\./, '');
    const known = Object.hasOwn(say, keyword) && keyword !== 'other' ? say[keyword as 'type' | 'additionalProperties'] : undefined;
    const what = known === undefined ? say.other(keyword, wanted) : typeof known === 'string' ? known : known(wanted);
    return `${place}: ${what}`;
  };
}
