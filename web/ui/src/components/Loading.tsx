import { Skeleton, Stack } from '@mantine/core';
import { texts } from '@/text/texts';

const useWords = texts({ en: { loading: 'Loading' }, de: { loading: 'Wird geladen' } });

/** In place of what is on its way. */
export function Loading({ rows = 4 }: { rows?: number }) {
  const say = useWords();
  return (
    <Stack gap="sm" role="status" aria-busy aria-label={say.loading}>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={36} />
      ))}
    </Stack>
  );
}
