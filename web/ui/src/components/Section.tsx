import { Group, Paper, type PaperProps, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props extends PaperProps {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}

/** A titled card of a page. */
export function Section({ title, actions, children, ...paper }: Props) {
  return (
    <Paper component="section" p="md" aria-label={title} {...paper}>
      <Group justify="space-between" mb="sm" gap="xs">
        <Title order={2} size="h5">
          {title}
        </Title>
        {actions}
      </Group>
      {children}
    </Paper>
  );
}
