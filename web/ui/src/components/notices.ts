import { notifications } from '@mantine/notifications';

/** Tells in passing that something was done. */
export function tellDone(message: string): void {
  notifications.show({ message, color: 'teal' });
}

/** Tells what failed where there is no place on the page for it. */
export function tellError(error: unknown, title?: string): void {
  const message = error instanceof Error ? error.message : String(error);
  notifications.show({ ...(title === undefined ? {} : { title }), message, color: 'red', autoClose: 10_000 });
}
