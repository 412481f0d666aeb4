import { Badge, Group, Loader, Paper, Stack, Text, Title } from '@mantine/core';
import { IconTrophy } from '@tabler/icons-react';
import { ApiError } from '@/api/errors';
import type { Answer } from '@/chat/stream';
import { CopyButton } from '@/components/CopyButton';
import { ErrorNotice } from '@/components/ErrorNotice';
import { MarkdownText } from '@/components/message/MarkdownText';
import { MessageFooter } from '@/components/message/MessageFooter';
import { Thinking } from '@/components/message/Thinking';
import { type Column, isEnded } from './comparison';
import { useCompareTexts } from './texts';

interface Props {
  column: Column;
  isRunning: boolean;
  isBest: boolean;
}

export function AnswerColumn({ column, isRunning, isBest }: Props) {
  const say = useCompareTexts();
  const { answer, model } = column;
  return (
    <Paper component="article" p="sm" aria-label={model} bg={isBest ? 'var(--mantine-primary-color-light)' : undefined} style={{ minWidth: 0 }}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs" mb="xs">
        <Title order={3} size="h6" className="breakable">
          {model}
        </Title>
        <Group gap={4} wrap="nowrap">
          {isEnded(answer) ? (
            <>
              {isBest && <IconTrophy size={18} role="img" aria-label={say.isBest(model)} />}
              {answer !== null && answer.content !== '' && <CopyButton value={answer.content} name={say.copyOne(model)} />}
            </>
          ) : (
            isRunning && <Standing column={column} />
          )}
        </Group>
      </Group>
      {answer === null ? null : <Body answer={answer} asked={column.asked} />}
    </Paper>
  );
}

function Standing({ column: { answer, asked } }: { column: Column }) {
  const say = useCompareTexts();
  return (
    <Group gap={6} wrap="nowrap">
      {asked !== null && <Loader size={14} aria-hidden />}
      <Badge variant="default" tt="none" fw={500}>
        {asked === null ? say.states.queued : say.states[answer?.state ?? 'waiting']}
      </Badge>
    </Group>
  );
}

function Body({ answer, asked }: { answer: Answer; asked: number | null }) {
  const say = useCompareTexts();
  const { stats, state } = answer;
  const isGrowing = !isEnded(answer);
  const began = asked === null || stats.ttft === null ? null : asked + 1000 * stats.ttft;
  return (
    <Stack gap="xs">
      {answer.standing !== null && (
        <Text size="sm" c="dimmed">
          {answer.standing}
        </Text>
      )}
      {answer.reasoning !== '' && <Thinking text={answer.reasoning} seconds={stats.thinking_seconds} since={state === 'thinking' ? began : null} />}
      {answer.content !== '' && <MarkdownText text={answer.content} isGrowing={isGrowing} heading={4} />}
      {state === 'done' && answer.content === '' && <Text size="sm">{say.nothing}</Text>}
      {answer.error !== null && <ErrorNotice error={new ApiError(answer.error.message, 0, answer.error.code)} />}
      {!isGrowing && <MessageFooter stats={stats} finish={answer.finish_reason ?? undefined} />}
    </Stack>
  );
}
