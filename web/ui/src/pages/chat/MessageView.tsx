import { lazy, memo, Suspense, useState, useSyncExternalStore } from 'react';
import { Loading } from '@/components/Loading';
import { MarkdownText } from '@/components/message/MarkdownText';
import { Media } from '@/components/message/Media';
import { MessageFooter } from '@/components/message/MessageFooter';
import { Thinking } from '@/components/message/Thinking';
import { ToolCalls } from '@/components/message/ToolCalls';
import { mediaOf, type Message, type Node, textOf } from '@/chat/thread';
import { AnswerProblem } from './AnswerProblem';
import classes from './ChatPage.module.css';
import { EditMessage } from './EditMessage';
import { MessageActions } from './MessageActions';
import type { Asking, OpenConversation } from './openConversation';
import { useChatTexts } from './texts';
import { Waiting } from './Waiting';

const Logprobs = lazy(() => import('@/components/message/Logprobs'));

export interface MessageProps {
  conversation: OpenConversation;
  asking: Asking;
  node: Node;
  isRunning: boolean;
  /** Whether an answer is on its way, here or elsewhere in the conversation. */
  isBusy: boolean;
  isLast: boolean;
  results: Record<string, string> | undefined;
  /** Which of its versions it is, and the ids of those beside it. */
  place: number;
  count: number;
  before: string | undefined;
  after: string | undefined;
}

/** A message with all that can be done with it. Drawn anew only when it has changed itself. */
export const MessageView = memo(function MessageView(props: MessageProps) {
  const { conversation, asking, node, isRunning, isLast, results } = props;
  const say = useChatTexts();
  const [isEdited, setEdited] = useState(false);
  const [hasProbabilities, setProbabilities] = useState(false);
  const isUser = node.role === 'user';
  const name = isUser || node.role !== 'assistant' ? say.roles[node.role] : (node.model ?? say.roles.assistant);
  const style = [classes.message, isUser && classes.user, isLast && classes.last].filter(Boolean).join(' ');
  if (isRunning) {
    return (
      <article className={style} aria-label={name} aria-busy>
        <LiveBody conversation={conversation} node={node} />
      </article>
    );
  }
  if (isEdited) {
    return (
      <article className={style} aria-label={name}>
        <EditMessage conversation={conversation} asking={asking} node={node} onDone={() => setEdited(false)} />
      </article>
    );
  }
  return (
    <article className={style} aria-label={name}>
      {isUser ? <UserBody node={node} /> : <AnswerBody message={node} results={results} />}
      {node.role === 'assistant' && <AnswerProblem {...props} />}
      {hasProbabilities && (
        <Suspense fallback={<Loading rows={2} />}>
          <Logprobs tokens={node.logprobs ?? []} />
        </Suspense>
      )}
      <div className={classes.tools}>
        {node.role === 'assistant' && <MessageFooter model={node.model} stats={node.stats?.completion_tokens == null ? undefined : node.stats} finish={node.finish_reason} />}
        <MessageActions {...props} hasProbabilities={hasProbabilities} onProbabilities={() => setProbabilities(!hasProbabilities)} onEdit={() => setEdited(true)} />
      </div>
    </article>
  );
});

function UserBody({ node }: { node: Node }) {
  const text = textOf(node.content);
  return (
    <>
      <Media parts={mediaOf(node.content)} />
      {text !== '' && <div className={classes.bubble}>{text}</div>}
    </>
  );
}

interface BodyProps {
  message: Message;
  results?: Record<string, string> | undefined;
  isGrowing?: boolean;
  thinkingSince?: number | null;
}

function AnswerBody({ message, results, isGrowing = false, thinkingSince = null }: BodyProps) {
  const text = textOf(message.content);
  return (
    <>
      {message.reasoning !== undefined && <Thinking text={message.reasoning} seconds={message.stats?.thinking_seconds ?? null} since={thinkingSince} />}
      <Media parts={mediaOf(message.content)} />
      {text !== '' && <MarkdownText text={text} isGrowing={isGrowing} />}
      {message.tool_calls !== undefined && <ToolCalls calls={message.tool_calls} isGrowing={isGrowing} {...(results && { results })} />}
    </>
  );
}

function LiveBody({ conversation, node }: { conversation: OpenConversation; node: Node }) {
  const live = useSyncExternalStore(conversation.subscribeLive, conversation.liveSnapshot);
  const answer = live?.answer ?? null;
  const hasBegun = answer !== null && (answer.content !== '' || answer.reasoning !== '' || answer.tool_calls.length > 0);
  if (!hasBegun) return <Waiting model={node.model ?? ''} standing={answer?.standing ?? null} />;
  const message: Message = {
    role: 'assistant',
    content: answer.content,
    stats: answer.stats,
    ...(answer.reasoning !== '' && { reasoning: answer.reasoning }),
    ...(answer.tool_calls.length > 0 && { tool_calls: answer.tool_calls }),
  };
  return <AnswerBody message={message} isGrowing thinkingSince={live?.thinkingSince ?? null} />;
}
