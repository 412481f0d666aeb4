import { Alert, Group, Loader, Paper, Stack, Text, Textarea, Title } from '@mantine/core';
import { IconArrowsExchange } from '@tabler/icons-react';
import { ApiError } from '@/api/errors';
import { curlOf } from '@/api/curl';
import { CHAT_PATH } from '@/chat/connection';
import type { Answer } from '@/chat/stream';
import { CopyButton } from '@/components/CopyButton';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { CodeBlock } from '@/components/message/CodeBlock';
import { Fold } from '@/components/message/Fold';
import { MarkdownText } from '@/components/message/MarkdownText';
import { MessageFooter } from '@/components/message/MessageFooter';
import { Thinking } from '@/components/message/Thinking';
import { ToolCalls } from '@/components/message/ToolCalls';
import { Section } from '@/components/Section';
import { useSession } from '@/session/SessionContext';
import { type Call, isWaiting, type Loop, type Step } from './loop';
import { useToolsTexts } from './texts';

interface Props {
  loop: Loop;
  onResult: (step: number, call: number, result: string) => void;
}

/** Each request, what the model answered, which functions it called, and what these gave. */
export function Chain({ loop, onResult }: Props) {
  const say = useToolsTexts();
  const last = loop.steps.length - 1;
  return (
    <Section title={say.chain}>
      {loop.steps.length === 0 ? (
        <EmptyState as="h3" icon={IconArrowsExchange} title={say.chainNone.title} text={say.chainNone.text} />
      ) : (
        <Stack>
          {loop.steps.map((step, index) => (
            <StepView
              key={index}
              step={step}
              number={index + 1}
              isAsking={index === last && loop.state === 'asking'}
              onResult={index === last && isWaiting(loop) ? (call, result) => onResult(index, call, result) : null}
            />
          ))}
          <Text size="sm" role="status">
            {say.states[loop.state]}
          </Text>
        </Stack>
      )}
    </Section>
  );
}

interface StepProps {
  step: Step;
  number: number;
  isAsking: boolean;
  /** null where the results were sent. */
  onResult: ((call: number, result: string) => void) | null;
}

function StepView({ step, number, isAsking, onResult }: StepProps) {
  const say = useToolsTexts();
  const { answer } = step;
  return (
    <Paper component="article" p="sm" aria-label={say.stepTitle(number)}>
      <Stack gap="xs">
        <Group gap="xs">
          <Title order={3} size="h6">
            {say.stepTitle(number)}
          </Title>
          {isAsking && <Loader size={14} aria-label={say.asking} />}
        </Group>
        <Request body={step.request} />
        {answer !== null && <Said answer={answer} isAsking={isAsking} />}
        {step.calls.map((call, index) => (
          <CallView key={index} call={call} onResult={onResult === null ? null : (result) => onResult(index, result)} />
        ))}
        {answer !== null && !isAsking && <MessageFooter stats={answer.stats} finish={answer.finish_reason ?? undefined} />}
      </Stack>
    </Paper>
  );
}

function Request({ body }: { body: Record<string, unknown> }) {
  const say = useToolsTexts();
  const session = useSession();
  return (
    <Fold label={say.request}>
      <CodeBlock code={JSON.stringify(body, null, 2)} language="json" label={say.request} />
      <CopyButton label={say.copyCurl} value={() => curlOf({ url: location.origin + CHAT_PATH, body, needsToken: session.login })} />
    </Fold>
  );
}

function Said({ answer, isAsking }: { answer: Answer; isAsking: boolean }) {
  const { stats } = answer;
  return (
    <>
      {answer.standing !== null && (
        <Text size="sm" c="dimmed">
          {answer.standing}
        </Text>
      )}
      {answer.reasoning !== '' && <Thinking text={answer.reasoning} seconds={stats.thinking_seconds} />}
      {answer.content.trim() !== '' && <MarkdownText text={answer.content} isGrowing={isAsking} heading={4} />}
      {(isAsking || answer.state !== 'done') && answer.tool_calls.length > 0 && <ToolCalls calls={answer.tool_calls} isGrowing={isAsking} />}
      {answer.error !== null && <ErrorNotice error={new ApiError(answer.error.message, 0, answer.error.code)} />}
    </>
  );
}

function CallView({ call: { call, result, fault }, onResult }: { call: Call; onResult: ((result: string) => void) | null }) {
  const say = useToolsTexts();
  return (
    <>
      <ToolCalls calls={[call]} results={onResult === null ? { [call.id]: result } : {}} />
      {fault !== null && (
        <Alert color="orange" p="xs">
          {say.callFaults[fault]}
        </Alert>
      )}
      {onResult !== null && (
        <Textarea
          label={say.result(call.function.name)}
          autosize
          minRows={1}
          maxRows={10}
          value={result}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.85em' } }}
          onChange={(event) => onResult(event.currentTarget.value)}
        />
      )}
    </>
  );
}
