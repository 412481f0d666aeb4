import { Badge } from '@mantine/core';
import type { BatchStatus } from './api';
import { useBatchTexts } from './texts';

const COLORS: Record<BatchStatus, string> = {
  validating: 'blue', in_progress: 'blue', finalizing: 'blue', cancelling: 'orange', completed: 'teal', failed: 'red', expired: 'red', cancelled: 'gray',
};

export function BatchBadge({ status }: { status: BatchStatus }) {
  const say = useBatchTexts();
  return (
    <Badge variant="light" color={COLORS[status]} tt="none" autoContrast>
      {say.statuses[status]}
    </Badge>
  );
}
