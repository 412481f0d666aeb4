import { ActionIcon, Anchor, Badge, Button, Group, Menu, Paper, Stack, Text, Tooltip } from '@mantine/core';
import { IconCopy, IconDots, IconFiles, IconMessage, IconPencil, IconStar, IconStarFilled, IconTrash } from '@tabler/icons-react';
import { Link } from 'react-router';
import type { CategoryColor, Prompt } from '@/api/prompts';
import { CategoryMark } from './CategoryMark';
import { usePromptsTexts } from './texts';
import type { PromptActions } from './usePromptActions';

interface Props {
  prompt: Prompt;
  color: CategoryColor;
  actions: PromptActions;
  onUse: () => void;
}

/** One prompt of the library, and what can be done with it. */
export function PromptCard({ prompt, color, actions, onUse }: Props) {
  const say = usePromptsTexts();
  const { name, favourite } = prompt;
  const starWords = favourite ? say.unfavour(name) : say.favour(name);
  return (
    <Paper p="sm" component="li" style={{ borderInlineStart: `4px solid var(--mantine-color-${color}-6)` }}>
      <Stack gap={6} h="100%">
        <Group wrap="nowrap" gap={4} align="flex-start">
          <Anchor component={Link} to={`/prompts/${prompt.id}`} fw={600} className="breakable" style={{ flex: 1, minWidth: 0 }} mt={3}>
            {name}
          </Anchor>
          <Tooltip label={starWords}>
            <ActionIcon variant="subtle" color="gray" aria-label={starWords} aria-pressed={favourite} onClick={() => void actions.favour(prompt)}>
              {favourite ? <IconStarFilled size={17} color="var(--mantine-color-yellow-6)" aria-hidden /> : <IconStar size={17} aria-hidden />}
            </ActionIcon>
          </Tooltip>
          <Menu position="bottom-end" shadow="md">
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" aria-label={say.actions(name)}>
                <IconDots size={17} aria-hidden />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item component={Link} to={`/prompts/${prompt.id}`} leftSection={<IconPencil size={16} aria-hidden />}>
                {say.edit}
              </Menu.Item>
              <Menu.Item leftSection={<IconFiles size={16} aria-hidden />} onClick={() => void actions.duplicate(prompt)}>
                {say.duplicate}
              </Menu.Item>
              <Menu.Item leftSection={<IconCopy size={16} aria-hidden />} onClick={() => void actions.copyText(prompt)}>
                {say.copyText}
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item c="var(--mantine-color-error)" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => actions.remove(prompt)}>
                {say.delete}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
        {prompt.description !== '' && (
          <Text size="sm" className="breakable" lineClamp={2}>
            {prompt.description}
          </Text>
        )}
        <Text size="sm" c="dimmed" className="breakable" lineClamp={3} style={{ whiteSpace: 'pre-line' }}>
          {prompt.text}
        </Text>
        <Group gap={6} mt="auto" pt={4}>
          {prompt.category !== '' && <CategoryMark name={prompt.category} color={color} />}
          {prompt.kind === 'system' && (
            <Badge variant="outline" color="gray" c="var(--mantine-color-text)" tt="none" fw={500}>
              {say.systemBadge}
            </Badge>
          )}
          <Text size="xs" c="dimmed">
            {say.uses(prompt.uses)}
          </Text>
        </Group>
        <Button variant="default" size="xs" onClick={onUse} leftSection={<IconMessage size={15} aria-hidden />} aria-label={say.useNamed(name)}>
          {say.use}
        </Button>
      </Stack>
    </Paper>
  );
}
