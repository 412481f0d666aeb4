import { notifications } from '@mantine/notifications';

/** The button that takes it away has a picture only. */
const closing = () => ({ 'aria-label': document.documentElement.lang === 'de' ? 'Schließen' : 'Close' });

/** Tells in passing that something was done. */
export function tellDone(message: string): void {
  notifications.show({ message, color: 'teal', closeButtonProps: closing() });
}

/** Tells what failed where there is no place on the page for it. */
export function tellError(error: unknown, title?: string): void {
  const message = error instanceof Error ? error.message : String(error);
  notifications.show({ ...(title === undefined ? {} : { title }), message, color: 'red', autoClose: 10_000, closeButtonProps: closing() });
}
