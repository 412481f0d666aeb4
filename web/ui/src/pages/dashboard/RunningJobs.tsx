import { Button, Progress, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { Section } from '@/components/Section';
import type { Job } from '@/live/state';
import { bytes, seconds } from '@/text/format';
import { useDashboardTexts } from './texts';

export function RunningJobs({ jobs }: { jobs: readonly Job[] }) {
  const say = useDashboardTexts();
  return (
    <Section
      title={say.jobs}
      actions={
        <Button component={Link} to="/downloads" size="compact-sm" variant="default">
          {say.allJobs}
        </Button>
      }
    >
      {jobs.length === 0 ? (
        <Text c="dimmed" size="sm">
          {say.noJobs}
        </Text>
      ) : (
        <Stack gap="sm">
          {jobs.map((job) => (
            <OneJob key={job.id} job={job} />
          ))}
        </Stack>
      )}
    </Section>
  );
}

function OneJob({ job }: { job: Job }) {
  const share = job.total_bytes ? (100 * job.done_bytes) / job.total_bytes : null;
  const facts = [
    job.phase ?? job.state,
    job.total_bytes === null ? null : `${bytes(job.done_bytes)} / ${bytes(job.total_bytes)}`,
    job.rate === null ? null : `${bytes(job.rate)}/s`,
    job.eta === null ? null : seconds(job.eta),
    job.error?.message ?? null,
  ];
  return (
    <div>
      <Text size="sm" fw={600} className="breakable">
        {job.title}
      </Text>
      {share !== null && <Progress value={share} size="sm" my={4} aria-label={job.title} />}
      <Text size="xs" c="dimmed" className="breakable numbers">
        {facts.filter((fact) => fact !== null).join(' · ')}
      </Text>
    </div>
  );
}
