import { Alert, Button, Code, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { ApiError } from '@/api/errors';
import { texts } from '@/text/texts';

const useWords = texts({
  en: {
    failed: 'That did not work',
    field: (name: string) => `In the field ${name}.`,
    wait: (seconds: number) => `Try again in ${seconds} s.`,
    request: (id: string) => `Request ${id}: the logs have more about it.`,
    again: 'Try again',
  },
  de: {
    failed: 'Das hat nicht geklappt',
    field: (name: string) => `Im Feld ${name}.`,
    wait: (seconds: number) => `In ${seconds} s noch einmal versuchen.`,
    request: (id: string) => `Anfrage ${id}: Mehr steht in den Logs.`,
    again: 'Noch einmal',
  },
});

interface Props {
  error: unknown;
  title?: string;
  /** Offered as a button. */
  onRetry?: () => void;
}

/** What went wrong, in the server's own words, and what can be done. */
export function ErrorNotice({ error, title, onRetry }: Props) {
  const say = useWords();
  const known = error instanceof ApiError ? error : null;
  return (
    <Alert role="alert" color="red" icon={<IconAlertTriangle aria-hidden />} title={title ?? say.failed}>
      <Text className="breakable">{error instanceof Error ? error.message : String(error)}</Text>
      <Group gap="sm" mt="xs">
        {known?.param && <Text size="sm">{say.field(known.param)}</Text>}
        {known?.retryAfter != null && <Text size="sm">{say.wait(known.retryAfter)}</Text>}
        {known?.code && <Code>{known.code}</Code>}
        {onRetry && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {say.again}
          </Button>
        )}
      </Group>
      {known?.requestId && known.status >= 500 && (
        <Text size="xs" mt="xs" className="breakable">
          {say.request(known.requestId)}
        </Text>
      )}
    </Alert>
  );
}
