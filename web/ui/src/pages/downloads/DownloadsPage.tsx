import { Anchor, Button, Group, Paper, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { IconArrowLeft, IconCloudDownload, IconDownload } from '@tabler/icons-react';
import { Link, useParams, useSearchParams } from 'react-router';
import { ApiError } from '@/api/errors';
import { forgetJob, isOver, type Job, JOBS_KEY, useJob, useJobs } from '@/api/jobs';
import { confirmFirst } from '@/components/confirm';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { JobProgress } from '@/components/JobProgress';
import { Loading } from '@/components/Loading';
import { tellError } from '@/components/notices';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { StateBadge } from '@/components/StateBadge';
import { pageOf } from '@/models/actions';
import { bytes, moment } from '@/text/format';
import { useQueryClient } from '@tanstack/react-query';
import { countsOf, type Shown, SHOWN, shownOf } from './shown';
import { useDownloadsTexts } from './texts';

/** The server's jobs; `/downloads/ID` is one of them. */
export default function DownloadsPage() {
  const id = useParams()['*'] ?? '';
  return id === '' ? <List /> : <One key={id} id={id} />;
}

function List() {
  const say = useDownloadsTexts();
  const [query, setQuery] = useSearchParams();
  const { data, error, refetch } = useJobs();
  const show: Shown = SHOWN.find((one) => one === query.get('show')) ?? 'all';
  return (
    <>
      <PageHeader
        title={say.title}
        description={say.description}
        actions={
          <Button component={Link} to="/catalog" leftSection={<IconCloudDownload size={18} aria-hidden />}>
            {say.fetch}
          </Button>
        }
      />
      {data === undefined ? (
        error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />
      ) : data.length === 0 ? (
        <Nothing />
      ) : (
        <Stack>
          <Group justify="space-between">
            <Filter jobs={data} show={show} onShow={(next) => setQuery(next === 'all' ? {} : { show: next }, { replace: true })} />
            <ForgetAll jobs={data} />
          </Group>
          <Jobs jobs={shownOf(data, show)} />
        </Stack>
      )}
    </>
  );
}

function Nothing() {
  const say = useDownloadsTexts();
  return (
    <EmptyState
      icon={IconDownload}
      title={say.none}
      text={say.noneText}
      action={
        <Button component={Link} to="/catalog">
          {say.noneAction}
        </Button>
      }
    />
  );
}

function Filter({ jobs, show, onShow }: { jobs: readonly Job[]; show: Shown; onShow: (show: Shown) => void }) {
  const say = useDownloadsTexts();
  const counts = countsOf(jobs);
  return (
    <SegmentedControl
      aria-label={say.filter}
      value={show}
      onChange={(value) => onShow(value)}
      data={SHOWN.map((one) => ({ value: one, label: `${say.shown[one]} (${counts[one]})` }))}
    />
  );
}

function ForgetAll({ jobs }: { jobs: readonly Job[] }) {
  const say = useDownloadsTexts();
  const queries = useQueryClient();
  const over = jobs.filter(isOver);
  if (over.length < 2) return null;
  const forget = async () => {
    try {
      await Promise.all(over.map((job) => forgetJob(job.id)));
    } catch (error) {
      tellError(error);
    }
    await queries.invalidateQueries({ queryKey: JOBS_KEY });
  };
  return (
    <Button
      size="compact-sm"
      variant="default"
      onClick={() => confirmFirst({ title: say.forgetTitle, text: say.forgetText(over.length), confirm: say.forget, cancel: say.keep, onConfirm: forget })}
    >
      {say.forgetAll}
    </Button>
  );
}

function Jobs({ jobs }: { jobs: readonly Job[] }) {
  const say = useDownloadsTexts();
  if (jobs.length === 0) return <Text>{say.noneShown}</Text>;
  return (
    <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
      {jobs.map((job) => (
        <Paper component="li" key={job.id} p="md">
          <Group justify="space-between" gap="xs" mb={6} align="flex-start">
            <Title order={2} size="h5" className="breakable" style={{ flex: '1 1 12rem' }}>
              <Anchor component={Link} to={`/downloads/${job.id}`} inherit>
                {job.title}
              </Anchor>
            </Title>
            <JobBadge job={job} />
          </Group>
          <JobProgress job={job} />
          <Text size="xs" c="dimmed" className="numbers" mt={4}>
            {say.kinds[job.kind as keyof typeof say.kinds] ?? job.kind} · {moment(job.created)}
          </Text>
        </Paper>
      ))}
    </Stack>
  );
}

function JobBadge({ job }: { job: Job }) {
  const say = useDownloadsTexts();
  return <StateBadge state={job.state} label={say.states[job.state]} />;
}

function One({ id }: { id: string }) {
  const say = useDownloadsTexts();
  const { data: job, error, refetch } = useJob(id);
  const isGone = error instanceof ApiError && error.status === 404;
  return (
    <>
      <Anchor component={Link} to="/downloads" size="sm" mb="xs" display="inline-block">
        <IconArrowLeft size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> {say.title}
      </Anchor>
      <PageHeader title={job?.title ?? id} description={job === undefined ? undefined : <JobBadge job={job} />} />
      {isGone ? (
        <EmptyState icon={IconDownload} title={say.gone} text={say.goneText} action={<Button component={Link} to="/downloads">{say.toAll}</Button>} />
      ) : job === undefined ? (
        error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Detail job={job} />
      )}
    </>
  );
}

function Detail({ job }: { job: Job }) {
  const say = useDownloadsTexts();
  const model = modelOf(job);
  return (
    <Stack>
      <Section title={say.progress}>
        <JobProgress job={job} />
        {model !== null && (
          <Button component={Link} to={pageOf(model)} mt="sm">
            {say.toModel(model)}
          </Button>
        )}
      </Section>
      <Section title={say.facts}>
        <Facts
          rows={[
            [say.kind, say.kinds[job.kind as keyof typeof say.kinds] ?? job.kind],
            [say.created, moment(job.created)],
            [say.started, job.started === null ? null : moment(job.started)],
            [say.ended, job.ended === null ? null : moment(job.ended)],
            [say.size, job.total_bytes === null ? null : bytes(job.total_bytes)],
            [say.attempts, String(job.attempts)],
            ...Object.entries(job.params).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)] as const),
            ['id', job.id],
          ]}
        />
      </Section>
      {job.result !== null && (
        <Section title={say.result}>
          <Facts rows={Object.entries(job.result).map(([key, value]) => [key.replaceAll('_', ' '), typeof value === 'string' ? value : JSON.stringify(value)])} />
        </Section>
      )}
    </Stack>
  );
}

/** The model that is there now, where the job made one. */
function modelOf(job: Job): string | null {
  const made = job.result?.model;
  return job.state === 'done' && typeof made === 'string' ? made : null;
}
