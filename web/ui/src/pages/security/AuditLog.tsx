import { Badge, Button, Group, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconHistory, IconRefresh, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { moment } from '@/text/format';
import { type AuditEntry, useAudit } from './api';
import { useSecurityTexts } from './texts';

const COLORS = { done: 'teal', refused: 'orange', failed: 'red' } as const;

/** Who administered what, the latest first. */
export function AuditLog() {
  const say = useSecurityTexts().audit;
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage, isRefetching } = useAudit();
  const [wanted, setWanted] = useState('');
  const entries = data?.pages.flatMap((page) => page.data) ?? [];
  const shown = entries.filter((entry) => matches(entry, wanted));
  if (error !== null && data === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading rows={8} />;
  if (entries.length === 0) return <EmptyState icon={IconHistory} title={say.none.title} text={say.none.text} />;
  return (
    <Stack>
      <Group gap="sm">
        <TextInput aria-label={say.filter} placeholder={say.filter} leftSection={<IconSearch size={16} aria-hidden />} value={wanted} onChange={(event) => setWanted(event.currentTarget.value)} style={{ flex: '1 1 14rem' }} />
        <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden />} loading={isRefetching && !isFetchingNextPage} onClick={() => void refetch()}>
          {say.refresh}
        </Button>
      </Group>
      {shown.length === 0 ? (
        <Text c="dimmed">{say.nothing}</Text>
      ) : (
        <Table.ScrollContainer minWidth={720}>
          <Table className="numbers">
            <Table.Thead>
              <Table.Tr>
                {[say.columns.time, say.columns.action, say.columns.target, say.columns.who, say.columns.result].map((name) => (
                  <Table.Th key={name}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((entry) => (
                <Row key={entry.id} entry={entry} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {error !== null && <ErrorNotice error={error} />}
      {hasNextPage && (
        <Group justify="center">
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {say.more}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Row({ entry }: { entry: AuditEntry }) {
  const say = useSecurityTexts().audit;
  const who = [entry.name ?? entry.subject, entry.via, entry.client].filter((word) => word !== null);
  const result = [say.results[entry.result], entry.result === 'done' ? null : entry.code].filter((word) => word !== null).join(' · ');
  return (
    <Table.Tr>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>{moment(Date.parse(entry.time) / 1000)}</Table.Td>
      <Table.Td className="breakable">
        {entry.action.replaceAll('_', ' ')}
        <Text size="xs" c="dimmed">
          {entry.route}
        </Text>
      </Table.Td>
      <Table.Td className="breakable">{entry.target ?? '–'}</Table.Td>
      <Table.Td className="breakable">{who.length === 0 ? say.nobody : who.join(' · ')}</Table.Td>
      <Table.Td>
        <Badge tt="none" variant="light" color={COLORS[entry.result]}>
          {result}
        </Badge>
        {entry.suppressed > 0 && <Text size="xs">{say.suppressed(entry.suppressed)}</Text>}
      </Table.Td>
    </Table.Tr>
  );
}

function matches(entry: AuditEntry, wanted: string): boolean {
  const text = [entry.action.replaceAll('_', ' '), entry.route, entry.target, entry.name, entry.subject, entry.via, entry.client, entry.result, entry.code].join(' ').toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
