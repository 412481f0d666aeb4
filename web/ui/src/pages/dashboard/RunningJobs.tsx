import { Button, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { JobProgress } from '@/components/JobProgress';
import { Section } from '@/components/Section';
import type { Job } from '@/live/state';
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
  return (
    <div>
      <Text size="sm" fw={600} className="breakable">
        {job.title}
      </Text>
      <JobProgress job={job} actions={false} />
    </div>
  );
}
