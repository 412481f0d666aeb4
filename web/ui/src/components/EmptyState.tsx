import { Stack, Text, ThemeIcon, Title } from '@mantine/core';
import type { Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';

interface Props {
  icon: Icon;
  title: string;
  /** What there is to do next. */
  text: ReactNode;
  action?: ReactNode;
  /** 'h1' where it stands for the whole page. */
  as?: 'h1' | 'h2' | 'h3';
}

/** In place of what is not there yet, or cannot be shown. */
export function EmptyState({ icon: Picture, title, text, action, as = 'h2' }: Props) {
  return (
    <Stack align="center" gap="sm" py="xl" maw={520} mx="auto" ta="center">
      <ThemeIcon size={56} radius="xl" variant="light">
        <Picture size={30} stroke={1.5} aria-hidden />
      </ThemeIcon>
      <Title order={as === 'h1' ? 1 : as === 'h2' ? 2 : 3} size="h3">
        {title}
      </Title>
      <Text c="dimmed" component="div">
        {text}
      </Text>
      {action}
    </Stack>
  );
}
