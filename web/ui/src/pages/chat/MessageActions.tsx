import { ActionIcon, Group, Menu, Text, Tooltip } from '@mantine/core';
import { IconChartHistogram, IconChevronLeft, IconChevronRight, IconDots, IconGitBranch, IconPencil, IconRefresh, IconTrash } from '@tabler/icons-react';
import { CopyButton } from '@/components/CopyButton';
import { confirmFirst } from '@/components/confirm';
import { textOf } from '@/chat/thread';
import { followersOf } from './followers';
import classes from './ChatPage.module.css';
import type { MessageProps } from './MessageView';
import { useChatTexts } from './texts';

interface Props extends MessageProps {
  hasProbabilities: boolean;
  onProbabilities: () => void;
  onEdit: () => void;
}

/** What can be done with a message, and the way to its other versions. */
export function MessageActions(props: Props) {
  const { conversation, asking, node, isBusy, isLast, onEdit, onProbabilities, hasProbabilities } = props;
  const say = useChatTexts().message;
  const remove = () => {
    const count = followersOf(conversation.snapshot().document, node.id);
    confirmFirst({ title: say.removeTitle, text: say.removeText(count), confirm: say.remove, cancel: say.cancel, onConfirm: () => conversation.remove(node.id) });
  };
  return (
    <>
      <Versions {...props} />
      <div className={classes.actions}>
        <CopyButton value={() => textOf(node.content)} name={say.copy} />
        {(node.role === 'user' || node.role === 'assistant') && (
          <Act name={say.edit} picture={IconPencil} isDisabled={isBusy} onClick={onEdit} />
        )}
        {node.role === 'assistant' && <Act name={say.regenerate} picture={IconRefresh} isDisabled={isBusy} onClick={() => conversation.regenerate(node.id, asking)} />}
        {node.logprobs !== undefined && <Act name={hasProbabilities ? say.hideProbabilities : say.probabilities} picture={IconChartHistogram} onClick={onProbabilities} />}
        <Menu position="bottom-end" withinPortal>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" aria-label={say.more} disabled={isBusy}>
              <IconDots size={16} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {!isLast && (
              <Menu.Item leftSection={<IconGitBranch size={16} aria-hidden />} onClick={() => conversation.branch(node.id)}>
                {say.branch}
              </Menu.Item>
            )}
            <Menu.Item color="red" leftSection={<IconTrash size={16} aria-hidden />} onClick={remove}>
              {say.remove}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </div>
    </>
  );
}

function Act({ name, picture: Picture, isDisabled = false, onClick }: { name: string; picture: typeof IconDots; isDisabled?: boolean; onClick: () => void }) {
  return (
    <Tooltip label={name}>
      <ActionIcon variant="subtle" color="gray" aria-label={name} disabled={isDisabled} onClick={onClick}>
        <Picture size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

function Versions({ conversation, place, count, before, after, isBusy }: MessageProps) {
  const say = useChatTexts().message;
  if (count < 2) return null;
  const step = (name: string, id: string | undefined, Picture: typeof IconDots) => (
    <ActionIcon size="sm" variant="transparent" color="gray" bg="transparent" aria-label={name} disabled={isBusy || id === undefined} onClick={() => id !== undefined && conversation.choose(id)}>
      <Picture size={16} aria-hidden />
    </ActionIcon>
  );
  return (
    <Group gap={0} wrap="nowrap" role="group" aria-label={say.versions}>
      {step(say.before, before, IconChevronLeft)}
      <Text size="xs" className="numbers" aria-live="polite">
        {say.of(place, count)}
      </Text>
      {step(say.after, after, IconChevronRight)}
    </Group>
  );
}
