import { Badge } from '@mantine/core';

const COLORS: Record<string, string> = {
  ready: 'teal', done: 'teal', live: 'teal', completed: 'teal', ok: 'teal',
  loading: 'yellow', starting: 'yellow', draining: 'orange', backoff: 'orange', queued: 'gray', running: 'blue', in_progress: 'blue',
  validating: 'blue', finalizing: 'blue', cancelling: 'orange',
  failed: 'red', broken: 'red', crashed: 'red', expired: 'red', cancelled: 'gray', unloaded: 'gray',
};

/** A state as `label`, coloured by what it means. */
export function StateBadge({ state, label }: { state: string; label: string }) {
  return (
    <Badge variant="light" color={COLORS[state] ?? 'gray'} tt="none" autoContrast>
      {label}
    </Badge>
  );
}
