import { Button, Group, Paper, Switch, Text } from '@mantine/core';
import { IconDownload, IconFileText } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { download } from '@/text/download';
import { Filters } from './Filters';
import { LineList } from './LineList';
import { fits } from './lines';
import { useLogsTexts } from './texts';
import { useLogLines } from './useLogLines';

/** Filters that the server knows; they stand in the address. */
const SERVER_FILTERS = ['level', 'process', 'model', 'request', 'since'] as const;

export default function LogsPage() {
  const say = useLogsTexts();
  const [parameters, setParameters] = useSearchParams();
  const [attempt, setAttempt] = useState(0);
  const asked = parameters.toString();
  const follows = parameters.get('follow') !== 'false';
  const search = parameters.get('search') ?? '';
  const filters = useMemo(() => {
    const given = new URLSearchParams(asked);
    return Object.fromEntries(SERVER_FILTERS.map((name) => [name, given.get(name)]));
  }, [asked]);
  const { lines, isLoading, error } = useLogLines(filters, follows, attempt);
  const shown = useMemo(() => lines.filter(({ line }) => fits(line, search)), [lines, search]);

  const put = (name: string, value: string) => {
    setParameters(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === '') next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  };
  const save = () => download('kronk-log.jsonl', shown.map(({ line }) => JSON.stringify(line)).join('\n'), 'application/jsonl');

  return (
    <>
      <PageHeader
        title={say.title}
        description={say.about}
        actions={
          <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={save} disabled={shown.length === 0}>
            {say.download}
          </Button>
        }
      />
      <Filters parameters={parameters} onChange={put} onClear={() => setParameters({}, { replace: true })} />
      <Group justify="space-between" my="sm" gap="xs">
        <Switch label={say.follow} checked={follows} onChange={(event) => put('follow', event.currentTarget.checked ? '' : 'false')} />
        <Text size="sm" c="dimmed" role="status" className="numbers">
          {say.count(shown.length, lines.length)}
        </Text>
      </Group>
      {error !== null && <ErrorNotice error={error} onRetry={() => setAttempt(attempt + 1)} />}
      {isLoading && <Loading rows={8} />}
      {!isLoading && error === null && shown.length === 0 && (
        <Paper>
          <EmptyState icon={IconFileText} title={say.empty.title} text={say.empty.text} />
        </Paper>
      )}
      {shown.length > 0 && <LineList lines={shown} onRequest={(id) => put('request', id)} />}
    </>
  );
}
