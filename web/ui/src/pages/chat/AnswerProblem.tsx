import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import { canContinue } from '@/chat/continuing';
import { type Node, textOf } from '@/chat/thread';
import type { MessageProps } from './MessageView';
import { useChatTexts } from './texts';

/** Why an answer is not whole, and what can be done. */
export function AnswerProblem({ conversation, asking, node, isBusy, isLast }: MessageProps) {
  const say = useChatTexts();
  const problem = problemOf(node);
  const hasText = textOf(node.content) !== '';
  const isFailed = problem === 'failed';
  const goOn = () => {
    const isText = (node.tool_calls ?? []).length === 0;
    if (isText && canContinue(asking.connection.dialect)) conversation.continueAnswer(node.id, asking);
    else conversation.send(say.goOnText, asking);
  };
  const continuing = (
    <Button size="compact-sm" variant="default" disabled={isBusy} onClick={goOn}>
      {say.goOn}
    </Button>
  );
  // Who stopped it knows why it ends there.
  if (problem === null) return isLast && hasText && node.finish_reason === 'stopped' ? <Group mt="xs">{continuing}</Group> : null;
  return (
    <Alert
      my="xs"
      role={isFailed ? 'alert' : 'note'}
      color={isFailed ? 'red' : 'gray'}
      icon={isFailed ? <IconAlertTriangle aria-hidden /> : <IconInfoCircle aria-hidden />}
      title={isFailed ? say.failed : undefined}
    >
      <Text size="sm" className="breakable">
        {node.error?.message ?? (problem === 'cut' ? say.cut : say.broken)}
      </Text>
      {isLast && (
        <Group gap="xs" mt="xs">
          {problem !== 'cut' && (
            <Button size="compact-sm" variant="default" disabled={isBusy} onClick={() => conversation.regenerate(node.id, asking)}>
              {say.again}
            </Button>
          )}
          {hasText && continuing}
        </Group>
      )}
    </Alert>
  );
}

function problemOf({ error, finish_reason: end, stats, content }: Node): 'failed' | 'broken' | 'cut' | null {
  if (error !== undefined) return 'failed';
  if (end === 'length') return 'cut';
  // What was never an answer of ours, but imported, says nothing of its end.
  return end === undefined && (stats !== undefined || textOf(content) === '') ? 'broken' : null;
}
