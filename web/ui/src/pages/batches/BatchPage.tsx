import { Alert, Anchor, List, Stack, Text } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { Link, useParams } from 'react-router';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { figure, moment, seconds } from '@/text/format';
import { type Batch, endOf, isOver, nameOf, useBatch, useItems } from './api';
import { BatchActions } from './BatchActions';
import { BatchBadge } from './BatchBadge';
import { Counts } from './Counts';
import { Items } from './Items';
import { useBatchTexts } from './texts';

/** One batch: how far it is, and what became of its requests. */
export function BatchPage() {
  const say = useBatchTexts();
  const { id = '' } = useParams();
  const { data: batch, error, refetch } = useBatch(id);
  return (
    <>
      <Anchor component={Link} to="/batches" size="sm" display="inline-flex" mb="xs" style={{ alignItems: 'center', gap: 4 }}>
        <IconArrowLeft size={16} aria-hidden />
        {say.back}
      </Anchor>
      {batch !== undefined ? <Shown batch={batch} /> : <PageHeader title={say.title} />}
      {batch === undefined && (error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />)}
    </>
  );
}

function Shown({ batch }: { batch: Batch }) {
  const say = useBatchTexts();
  const items = useItems(batch);
  const faults = batch.errors?.data ?? [];
  return (
    <>
      <PageHeader
        title={nameOf(batch)}
        description={<BatchBadge status={batch.status} />}
        actions={<BatchActions batch={batch} items={items.data ?? []} />}
      />
      <Stack>
        {faults.length > 0 && (
          <Alert color="red" role="alert" title={say.detail.errors}>
            <List size="sm">
              {faults.map(({ code, message, line }) => (
                <List.Item key={`${line ?? ''} ${code} ${message}`} className="breakable">
                  {line === null ? message : say.new.inLine(line, message)}
                </List.Item>
              ))}
            </List>
          </Alert>
        )}
        <Section title={say.detail.progress}>
          <Stack gap="sm">
            <Counts batch={batch} size="lg" />
            {!isOver(batch) && (
              <Text size="sm" c="dimmed">
                {say.detail.mayLeave}
              </Text>
            )}
            <BatchFacts batch={batch} />
          </Stack>
        </Section>
        <Items batch={batch} items={items.data} error={items.error} onRetry={() => void items.refetch()} />
      </Stack>
    </>
  );
}

function BatchFacts({ batch }: { batch: Batch }) {
  const say = useBatchTexts().detail;
  const ended = endOf(batch);
  return (
    <Facts
      rows={[
        [say.facts.id, batch.id],
        [say.facts.endpoint, batch.endpoint],
        [say.facts.model, batch.model],
        [say.facts.created, moment(batch.created_at)],
        [say.facts.ended, ended === null ? null : moment(ended)],
        [say.facts.took, ended === null ? null : seconds(Math.max(ended - batch.created_at, 1))],
        [say.facts.expires, isOver(batch) ? null : moment(batch.expires_at)],
        [say.facts.answered, figure(batch.request_counts.completed)],
        [say.facts.failed, figure(batch.request_counts.failed)],
        [say.facts.tokens, say.tokens(figure(batch.usage.input_tokens), figure(batch.usage.output_tokens))],
      ]}
    />
  );
}
