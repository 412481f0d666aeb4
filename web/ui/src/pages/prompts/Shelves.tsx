import { Button, Group } from '@mantine/core';
import { IconStar, IconTerminal2 } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Category, Prompt } from '@/api/prompts';
import { Dot } from './CategoryMark';
import { type Shelf, shown } from './filter';
import { usePromptsTexts } from './texts';

interface Props {
  shelf: Shelf;
  prompts: readonly Prompt[];
  categories: readonly Category[];
  onChange: (shelf: Shelf) => void;
}

/** Which prompts are seen: all, favourites, system prompts, or those of a category. */
export function Shelves({ shelf, prompts, categories, onChange }: Props) {
  const say = usePromptsTexts();
  const entries: { shelf: Shelf; label: string; picture?: ReactNode }[] = [
    { shelf: 'all', label: say.all },
    { shelf: 'favourites', label: say.favourites, picture: <IconStar size={14} aria-hidden /> },
    { shelf: 'system', label: say.system, picture: <IconTerminal2 size={14} aria-hidden /> },
    ...categories.map(({ name, color }) => ({ shelf: `in:${name}` as const, label: name, picture: <Dot color={color} /> })),
  ];
  return (
    <Group gap={6} mb="md" role="group" aria-label={say.shelves}>
      {entries.map((entry) => (
        <Button
          key={entry.shelf}
          size="compact-sm"
          fw={500}
          variant={entry.shelf === shelf ? 'filled' : 'default'}
          aria-pressed={entry.shelf === shelf}
          leftSection={entry.picture}
          onClick={() => onChange(entry.shelf)}
        >
          {entry.label} ({shown(prompts, entry.shelf, '').length})
        </Button>
      ))}
    </Group>
  );
}
