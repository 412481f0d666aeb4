import { SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { IconCheck, IconMinus } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { isOver, useJobs } from '@/api/jobs';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { JobProgress } from '@/components/JobProgress';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { mayUse } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { LIBRARIES_KEY, type Libraries, useLibraries } from './api';
import { Builds } from './Builds';
import { Installer } from './Installer';
import { useLibrariesTexts } from './texts';

export default function LibrariesPage() {
  const say = useLibrariesTexts();
  const isAdmin = mayUse(useSession(), 'admin');
  const { data: libraries, error, refetch } = useLibraries();
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      {error !== null && libraries === undefined && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {error === null && libraries === undefined && <Loading rows={6} />}
      {libraries !== undefined && (
        <Stack>
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <InUse libraries={libraries} />
            <Platform libraries={libraries} />
          </SimpleGrid>
          <Installations />
          <Section title={say.installed}>
            <Builds libraries={libraries} isAdmin={isAdmin} />
          </Section>
          {isAdmin && <Installer libraries={libraries} />}
        </Stack>
      )}
    </>
  );
}

function InUse({ libraries }: { libraries: Libraries }) {
  const say = useLibrariesTexts();
  return (
    <Section title={say.inUse}>
      <Facts
        rows={[
          [say.used, libraries.used === 'bundled' ? `bundled – ${say.bundled}` : libraries.used],
          [say.wanted, libraries.wanted],
          [say.reason, libraries.reason],
          [say.binding, libraries.binding],
          [say.matching, libraries.matching_version],
          [say.folder, libraries.path],
        ]}
      />
    </Section>
  );
}

function Platform({ libraries }: { libraries: Libraries }) {
  const say = useLibrariesTexts();
  const system = [`${libraries.os}/${libraries.arch}`, libraries.glibc === null ? null : `glibc ${libraries.glibc}`].filter((word) => word !== null).join(', ');
  return (
    <Section title={say.platform}>
      <Text size="sm" mb="xs">
        <Text span size="sm" c="dimmed">
          {say.system}:{' '}
        </Text>
        {system}
      </Text>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{say.processors.name}</Table.Th>
            <Table.Th>{say.processors.found}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {libraries.processors.map((one) => (
            <Table.Tr key={one.name}>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>
                {one.usable ? (
                  <IconCheck size={16} role="img" aria-label={say.usable} color="var(--mantine-color-teal-6)" style={{ verticalAlign: '-3px' }} />
                ) : (
                  <IconMinus size={16} role="img" aria-label={say.unusable} style={{ verticalAlign: '-3px', opacity: 0.6 }} />
                )}{' '}
                {one.name}
              </Table.Td>
              <Table.Td className="breakable">{one.found}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

/** Installations that go on, or have just ended: they are the server's, whoever began them. */
function Installations() {
  const say = useLibrariesTexts();
  const queries = useQueryClient();
  const jobs = useJobs().data?.filter((job) => job.kind === 'libs').slice(0, 5) ?? [];
  const ended = jobs.filter(isOver).map((job) => job.id).join(' ');
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: LIBRARIES_KEY });
  }, [queries, ended]);
  if (jobs.length === 0) return null;
  return (
    <Section title={say.jobs}>
      <Stack>
        {jobs.map((job) => (
          <div key={job.id}>
            <Text size="sm" fw={600} mb={4}>
              {job.title.trim()}
            </Text>
            <JobProgress job={job} />
          </div>
        ))}
      </Stack>
    </Section>
  );
}
