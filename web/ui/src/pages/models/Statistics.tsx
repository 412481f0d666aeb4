import { Button, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { call, modelPath } from '@/api/http';
import { type ModelStatistics, type Spread, statisticsQuery } from '@/api/modelFiles';
import { confirmFirst } from '@/components/confirm';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { Loading } from '@/components/Loading';
import { tellError } from '@/components/notices';
import { Section } from '@/components/Section';
import { bytes, figure, moment, percent, seconds } from '@/text/format';
import { useModelsTexts } from './texts';

/** What the model was asked, took and came to, over all of its life here. */
export function Statistics({ model }: { model: string }) {
  const say = useModelsTexts().statistics;
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery(statisticsQuery(model));
  if (data === null) {
    return (
      <EmptyState
        icon={IconChartBar}
        title={say.none}
        text={say.noneText}
        action={
          <Button component={Link} to={`/chat?model=${encodeURIComponent(model)}`}>
            {say.noneAction}
          </Button>
        }
      />
    );
  }
  if (error !== null && data === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading />;
  const forget = () =>
    confirmFirst({
      title: say.forgetTitle,
      text: say.forgetText(model),
      confirm: say.forget,
      cancel: say.cancel,
      onConfirm: async () => {
        try {
          await call(`/v1/kronk/statistics/${modelPath(model)}`, { method: 'DELETE' });
        } catch (failure) {
          tellError(failure);
        }
        await queries.resetQueries({ queryKey: ['statistics', model] });
      },
    });
  return (
    <Stack>
      <Section
        title={say.use}
        actions={
          <Button size="compact-sm" variant="default" onClick={forget}>
            {say.forget}
          </Button>
        }
      >
        <Facts
          rows={[
            [say.since, moment(data.since)],
            [say.lastUsed, moment(data.last_used)],
            [say.requests, figure(data.requests)],
            [say.cancelled, figure(data.cancelled)],
            [say.promptTokens, figure(data.prompt_tokens)],
            [say.cached, data.prompt_tokens === 0 ? null : `${figure(data.cached_tokens)} (${percent(data.cached_tokens / data.prompt_tokens)})`],
            [say.completionTokens, figure(data.completion_tokens)],
            [say.reasoningTokens, figure(data.reasoning_tokens)],
            [say.peak, bytes(data.peak_rss_bytes)],
          ]}
        />
      </Section>
      <Section title={say.speed}>
        <Spreads data={data} />
      </Section>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        <Counts title={say.errors} counts={data.errors} none={say.noErrors} />
        <Counts title={say.evictions} counts={data.evictions} none={say.noEvictions} />
        <Counts title={say.crashes} counts={data.crashes} none={say.noCrashes} />
      </SimpleGrid>
      {data.contexts.length > 0 && (
        <Section title={say.contexts}>
          <Table aria-label={say.contexts} className="numbers">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{say.upTo}</Table.Th>
                <Table.Th>{say.tokens}</Table.Th>
                <Table.Th>{say.perSecond}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.contexts.map((context) => (
                <Table.Tr key={context.up_to ?? 'more'}>
                  <Table.Td>{context.up_to === null ? say.more : figure(context.up_to)}</Table.Td>
                  <Table.Td>{figure(context.tokens)}</Table.Td>
                  <Table.Td>{figure(context.tokens_per_second, 1)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Section>
      )}
    </Stack>
  );
}

function Spreads({ data }: { data: ModelStatistics }) {
  const say = useModelsTexts().statistics;
  const perSecond = (value: number | null) => figure(value, 1);
  const rows: [string, Spread, (value: number | null) => string][] = [
    [say.ttft, data.ttft_seconds, seconds],
    [say.prefill, data.prefill_tokens_per_second, perSecond],
    [say.decode, data.decode_tokens_per_second, perSecond],
    [say.load, data.load_seconds, seconds],
  ];
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table aria-label={say.speed} className="numbers">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{say.what}</Table.Th>
            <Table.Th>{say.avg}</Table.Th>
            <Table.Th>{say.min}</Table.Th>
            <Table.Th>{say.max}</Table.Th>
            <Table.Th>{say.count}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(([name, spread, write]) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td>{write(spread.avg)}</Table.Td>
              <Table.Td>{write(spread.min)}</Table.Td>
              <Table.Td>{write(spread.max)}</Table.Td>
              <Table.Td>{figure(spread.count)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Counts({ title, counts, none }: { title: string; counts: Record<string, number>; none: string }) {
  const rows = Object.entries(counts);
  return (
    <Section title={title}>
      {rows.length === 0 ? <Text size="sm" c="dimmed">{none}</Text> : <Facts rows={rows.map(([name, count]) => [name.replaceAll('_', ' '), figure(count)])} />}
    </Section>
  );
}
