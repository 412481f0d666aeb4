import { Alert, Anchor, Button, Code, Stack, Text } from '@mantine/core';
import { IconArrowLeft, IconLock, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { ApiError } from '@/api/errors';
import { type CatalogEntry, catalogEntryQuery } from '@/api/catalog';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Purposes } from '@/components/Purposes';
import { Section } from '@/components/Section';
import { Fit } from '@/models/Fit';
import { bytes, figure } from '@/text/format';
import { FileTable } from './FileTable';
import { PullPanel } from './PullButton';
import { useCatalogTexts } from './texts';

/** Everything the catalog says of one model. */
export function EntryPage({ id }: { id: string }) {
  const say = useCatalogTexts();
  const { data, error, refetch } = useQuery(catalogEntryQuery(id));
  const isMissing = error instanceof ApiError && error.status === 404;
  return (
    <>
      <Anchor component={Link} to="/catalog" size="sm" mb="xs" display="inline-block">
        <IconArrowLeft size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> {say.title}
      </Anchor>
      <PageHeader title={data?.id ?? id} description={data?.description} />
      {isMissing ? (
        <EmptyState icon={IconSearchOff} title={say.missing} text={error.message} action={<Button component={Link} to={`/catalog/pull?source=${encodeURIComponent(id)}`}>{say.byName}</Button>} />
      ) : data === undefined ? (
        error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Entry entry={data} />
      )}
    </>
  );
}

function Entry({ entry }: { entry: CatalogEntry }) {
  const say = useCatalogTexts();
  const size = entry.size_bytes === null ? null : entry.size_is_exact ? bytes(entry.size_bytes) : say.about(bytes(entry.size_bytes));
  const config = Object.keys(entry.config).length > 0;
  return (
    <Stack>
      <Section title={say.fetching}>
        <Stack gap="sm" align="stretch">
          {entry.gated && (
            <Alert color="orange" icon={<IconLock size={18} aria-hidden />}>
              {say.gated}
            </Alert>
          )}
          {/* Of what is inside a package no part can be read. */}
          {(entry.pulled || !entry.files.some((file) => file.source.startsWith('pypi:'))) && <Fit asked={{ model: entry.id }} />}
          <div>
            <PullPanel wanted={entry.id} model={entry.id} pulled={entry.pulled} size={size} />
          </div>
        </Stack>
      </Section>
      <Section title={say.facts}>
        <Facts
          rows={[
            [say.category, say.categories[entry.category as keyof typeof say.categories] ?? entry.category],
            [say.can, entry.capabilities.length === 0 ? null : <Purposes key="can" capabilities={entry.capabilities} />],
            [say.parameters, entry.parameters],
            [say.quantisation, entry.quantisation],
            [say.context, entry.context === null ? null : figure(entry.context)],
            [say.size, size],
            [say.licence, entry.licence],
            [say.webPage, entry.web_page === null ? null : <Anchor key="page" href={entry.web_page} target="_blank" rel="noreferrer" size="sm">{entry.web_page}</Anchor>],
            [say.origin, entry.origin],
          ]}
        />
      </Section>
      <Section title={say.files}>
        <FileTable files={entry.files.map((file) => ({ ...file, name: file.source.split('/').pop() ?? file.source, here: null }))} />
      </Section>
      {config && (
        <Section title={say.recommended}>
          <Text size="sm" mb="xs">
            {say.recommendedText}
          </Text>
          <Code block tabIndex={0}>
            {JSON.stringify(entry.config, null, 2)}
          </Code>
        </Section>
      )}
    </Stack>
  );
}
