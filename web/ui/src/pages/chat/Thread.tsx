import { Alert, Button } from '@mantine/core';
import { IconArrowDown, IconGitBranch } from '@tabler/icons-react';
import { useMemo, useSyncExternalStore } from 'react';
import { childrenOf, type Document, leafOf, type Node, pathOf, siblingsOf, textOf } from '@/chat/thread';
import classes from './ChatPage.module.css';
import { MessageView } from './MessageView';
import type { Asking, OpenConversation } from './openConversation';
import { useChatTexts } from './texts';
import { useSticky } from './useSticky';

interface Props {
  conversation: OpenConversation;
  asking: Asking;
}

/** The messages of the branch that is looked at. */
export function Thread({ conversation, asking }: Props) {
  const say = useChatTexts();
  const { document, running } = useSyncExternalStore(conversation.subscribe, conversation.snapshot);
  const { scroll, content, isAtEnd, toEnd } = useSticky(running);
  const path = useMemo(() => pathOf(document), [document]);
  const results = useMemo(() => resultsOf(path), [path]);
  const end = path.at(-1);
  const follows = end === undefined ? undefined : childrenOf(document, end.id).at(-1);
  return (
    <div className={classes.thread}>
      <div ref={scroll} className={classes.scroll} role="log" aria-live="off" aria-label={say.log} tabIndex={0}>
        <div ref={content} className={classes.column}>
          {path.map((node, place) =>
            isShownAbove(node, path, place) ? null : (
              <MessageView
                key={node.id}
                conversation={conversation}
                asking={asking}
                node={node}
                isRunning={node.id === running}
                isBusy={running !== null}
                isLast={place === path.length - 1}
                results={node.tool_calls === undefined ? undefined : results}
                {...versionsOf(document, node.id)}
              />
            ),
          )}
          {follows !== undefined && running === null && (
            <Alert mt="sm" variant="light" color="gray" role="status" icon={<IconGitBranch aria-hidden />}>
              {say.branching}{' '}
              <Button size="compact-xs" variant="default" onClick={() => conversation.choose(leafOf(document, follows.id))}>
                {say.back}
              </Button>
            </Alert>
          )}
        </div>
      </div>
      {!isAtEnd && (
        <div className={classes.toEnd}>
          <Button size="xs" radius="xl" variant="default" leftSection={<IconArrowDown size={14} aria-hidden />} onClick={toEnd}>
            {say.toEnd}
          </Button>
        </div>
      )}
    </div>
  );
}

/** A tool's result stands within its call. */
function isShownAbove(node: Node, path: readonly Node[], place: number): boolean {
  return node.role === 'tool' && path.slice(0, place).some((before) => before.tool_calls?.some(({ id }) => id === node.tool_call_id));
}

function resultsOf(path: readonly Node[]): Record<string, string> {
  return Object.fromEntries(path.flatMap((node) => (node.role === 'tool' && node.tool_call_id !== undefined ? [[node.tool_call_id, textOf(node.content)]] : [])));
}

function versionsOf(document: Document<unknown>, id: string) {
  const siblings = siblingsOf(document, id);
  const place = siblings.findIndex((node) => node.id === id);
  return { place: place + 1, count: siblings.length, before: siblings[place - 1]?.id, after: siblings[place + 1]?.id };
}
