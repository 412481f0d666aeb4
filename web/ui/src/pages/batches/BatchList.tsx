import { Button, Center, Table, Text } from '@mantine/core';
import { IconPlus, IconStack2 } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { moment } from '@/text/format';
import { type Batch, nameOf, useBatches } from './api';
import { BatchBadge } from './BatchBadge';
import { Counts } from './Counts';
import { useBatchTexts } from './texts';

const MOST_PAGES = 5;

export function BatchList() {
  const say = useBatchTexts();
  const [pages, setPages] = useState(1);
  const { data, error, refetch } = useBatches(pages);
  const create = (
    <Button component={Link} to="/batches/new" leftSection={<IconPlus size={16} aria-hidden />}>
      {say.create}
    </Button>
  );
  return (
    <>
      <PageHeader title={say.title} description={say.description} actions={create} />
      {error !== null && data === undefined ? (
        <ErrorNotice error={error} onRetry={() => void refetch()} />
      ) : data === undefined ? (
        <Loading />
      ) : data.data.length === 0 ? (
        <EmptyState icon={IconStack2} title={say.none.title} text={say.none.text} action={create} />
      ) : (
        <Section title={say.title}>
          <Rows batches={data.data} />
          {data.has_more && pages < MOST_PAGES && (
            <Center mt="sm">
              <Button variant="default" onClick={() => setPages(pages + 1)}>
                {say.more}
              </Button>
            </Center>
          )}
        </Section>
      )}
    </>
  );
}

function Rows({ batches }: { batches: readonly Batch[] }) {
  const say = useBatchTexts();
  const endpoints: Record<string, string> = say.endpoints;
  return (
    <Table.ScrollContainer minWidth={760}>
      <Table className="numbers">
        <Table.Thead>
          <Table.Tr>
            {Object.values(say.columns).map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {batches.map((batch) => (
            <Table.Tr key={batch.id}>
              <Table.Td className="breakable" maw={260}>
                <Text component={Link} to={`/batches/${batch.id}`} size="sm" c="var(--mantine-color-anchor)">
                  {nameOf(batch)}
                </Text>
              </Table.Td>
              <Table.Td>{endpoints[batch.endpoint] ?? batch.endpoint}</Table.Td>
              <Table.Td className="breakable">{batch.model ?? '–'}</Table.Td>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>{moment(batch.created_at)}</Table.Td>
              <Table.Td>
                <Counts batch={batch} />
              </Table.Td>
              <Table.Td>
                <BatchBadge status={batch.status} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
