import { Button, Checkbox, Group, Paper } from '@mantine/core';
import type { ConversationSummary } from '@/api/conversations';
import { useConversationsTexts } from './texts';
import type { Actions } from './useActions';

interface Props {
  shown: readonly ConversationSummary[];
  selected: readonly ConversationSummary[];
  actions: Actions;
  onSelect: (ids: string[]) => void;
}

/** What can be done with several conversations at once. */
export function SelectionBar({ shown, selected, actions, onSelect }: Props) {
  const say = useConversationsTexts();
  const isAll = shown.length > 0 && selected.length === shown.length;
  const label = selected.length === 0 ? say.selectAll : say.selected(selected.length);
  return (
    <Paper px="sm" py={6} withBorder={false} bg="transparent">
      <Group gap="sm" mih={34}>
        <Checkbox
          label={label}
          checked={isAll}
          indeterminate={selected.length > 0 && !isAll}
          onChange={() => onSelect(isAll ? [] : shown.map(({ id }) => id))}
        />
        {selected.length > 0 && (
          <>
            <Button size="compact-sm" variant="default" onClick={() => void actions.archive(selected, !selected.every((row) => row.archived))}>
              {selected.every((row) => row.archived) ? say.restore : say.archive}
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => void actions.export(selected, 'json')}>
              {say.exportJson}
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => void actions.export(selected, 'markdown')}>
              {say.exportMarkdown}
            </Button>
            <Button size="compact-sm" variant="default" c="var(--mantine-color-error)" onClick={() => actions.remove(selected)}>
              {say.delete}
            </Button>
            <Button size="compact-sm" variant="subtle" onClick={() => onSelect([])}>
              {say.clear}
            </Button>
          </>
        )}
      </Group>
    </Paper>
  );
}
