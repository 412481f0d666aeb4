import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import type { ReactNode } from 'react';

interface Question {
  title: string;
  /** What will be lost. */
  text: ReactNode;
  /** The verb of the button: 'Delete'. */
  confirm: string;
  cancel: string;
  onConfirm: () => void | Promise<void>;
}

/** Asks before something that cannot be taken back. */
export function confirmFirst({ title, text, confirm, cancel, onConfirm }: Question): void {
  modals.openConfirmModal({
    title,
    children: (
      <Text size="sm" component="div">
        {text}
      </Text>
    ),
    labels: { confirm, cancel },
    confirmProps: { color: 'red' },
    onConfirm: () => void onConfirm(),
  });
}
