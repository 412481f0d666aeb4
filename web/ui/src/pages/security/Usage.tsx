import { Group, Paper, Progress, Stack, Table, Text, Title } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { figure } from '@/text/format';
import { type Limit, useTokens, useUsage } from './api';
import { useSecurityTexts } from './texts';
import { bySubject, type SubjectUsage } from './usage';

const ANONYMOUS = 'anonymous';

export function Usage() {
  const say = useSecurityTexts().usage;
  const { data: usage, error, refetch } = useUsage();
  const tokens = useTokens().data ?? [];
  if (error !== null && usage === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (usage === undefined) return <Loading />;
  if (usage.data.length === 0) return <EmptyState icon={IconChartBar} title={say.none.title} text={say.none.text} />;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {say.text(usage.day, usage.month, usage.year)}
      </Text>
      {bySubject(usage.data, tokens).map((subject) => (
        <Subject key={subject.subject} usage={subject} />
      ))}
      {usage.has_more && <Text size="sm">{say.more}</Text>}
    </Stack>
  );
}

function Subject({ usage }: { usage: SubjectUsage }) {
  const say = useSecurityTexts().usage;
  const name = usage.subject === ANONYMOUS ? say.anonymous : (usage.name ?? usage.subject);
  return (
    <Paper p="md">
      <Group gap="xs" mb="xs">
        <Title order={2} size="h6" className="breakable">
          {name}
        </Title>
        {usage.name !== null && usage.subject !== ANONYMOUS && (
          <Text size="xs" c="dimmed" className="breakable">
            {usage.subject}
          </Text>
        )}
      </Group>
      <Table.ScrollContainer minWidth={640}>
        <Table className="numbers">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{say.columns.endpoint}</Table.Th>
              <Table.Th ta="right">{say.columns.day}</Table.Th>
              <Table.Th ta="right">{say.columns.month}</Table.Th>
              <Table.Th ta="right">{say.columns.year}</Table.Th>
              <Table.Th ta="right">{say.columns.tokens}</Table.Th>
              <Table.Th w="32%">{say.columns.limit}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {usage.rows.map(({ endpoint, row, limit, used, share }) => (
              <Table.Tr key={endpoint}>
                <Table.Td>{endpoint}</Table.Td>
                <Table.Td ta="right">{figure(row.day.calls)}</Table.Td>
                <Table.Td ta="right">{figure(row.month.calls)}</Table.Td>
                <Table.Td ta="right">{figure(row.year.calls)}</Table.Td>
                <Table.Td ta="right">
                  {figure(row.day.prompt_tokens)} / {figure(row.day.completion_tokens)}
                </Table.Td>
                <Table.Td>{limit === null || share === null ? <Text size="sm" c="dimmed">{say.noLimit}</Text> : <Bar name={endpoint} used={used} limit={limit} share={share} />}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {usage.budget !== null && (
        <Group mt="xs" gap="sm" align="center">
          <Text size="sm" fw={600}>
            {say.budget}
          </Text>
          <div style={{ flex: '1 1 14rem' }}>
            <Bar name={say.budget} used={usage.budget.used} limit={usage.budget.limit} share={usage.budget.share} />
          </div>
        </Group>
      )}
    </Paper>
  );
}

function Bar({ name, used, limit, share }: { name: string; used: number; limit: Limit; share: number }) {
  const all = useSecurityTexts();
  const say = all.usage;
  const color = share >= 1 ? 'red' : share >= 0.8 ? 'orange' : 'kronk';
  return (
    <div>
      <Progress value={100 * share} color={color} aria-label={say.bar(name)} />
      <Text size="xs" mt={2}>
        {say.used(figure(used), figure(limit.limit), all.tokens.windows[limit.window])}
      </Text>
    </div>
  );
}
