import { Anchor, Button, Group, RingProgress, Text } from '@mantine/core';
import { IconCheck, IconDownload } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { fractionOf, isOver, pullOf } from '@/api/jobList';
import { beginJob, JOBS_KEY, useJobs } from '@/api/jobs';
import { MODELS_KEY } from '@/api/models';
import { JobProgress } from '@/components/JobProgress';
import { tellError } from '@/components/notices';
import type { Job } from '@/live/state';
import { pageOf } from '@/models/actions';
import { percent } from '@/text/format';
import { useCatalogTexts } from './texts';

interface Props {
  /** The word that the pull is asked for by. */
  wanted: string;
  /** The model that it becomes. */
  model: string;
  pulled: boolean;
}

/** The last pull of that word. When one ends, the lists that change by it are asked for again. */
function usePull(wanted: string): Job | undefined {
  const queries = useQueryClient();
  const job = pullOf(useJobs().data ?? [], wanted);
  const running = job !== undefined && !isOver(job) ? job.id : null;
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (running === null && last.current !== null) {
      for (const queryKey of [['catalog'], ['plan'], MODELS_KEY]) void queries.invalidateQueries({ queryKey });
    }
    last.current = running;
  }, [queries, running]);
  return job;
}

/** Begins the pull; errors before there is a job are told. */
async function beginPull(wanted: string, refresh: () => Promise<unknown>): Promise<void> {
  try {
    await beginJob('pull', { wanted });
    await refresh();
  } catch (error) {
    tellError(error);
  }
}

/** In a list: fetch, how far it is, or that it is there. */
export function PullButton({ wanted, model, pulled }: Props) {
  const say = useCatalogTexts();
  const queries = useQueryClient();
  const job = usePull(wanted);
  const [isBusy, setBusy] = useState(false);
  if (job !== undefined && !isOver(job)) return <Running job={job} />;
  if (pulled) {
    return (
      <Anchor component={Link} to={pageOf(model)} size="sm">
        <IconCheck size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> {say.here}
      </Anchor>
    );
  }
  const pull = async () => {
    setBusy(true);
    await beginPull(wanted, () => queries.invalidateQueries({ queryKey: JOBS_KEY }));
    setBusy(false);
  };
  return (
    <Group gap={6}>
      {job?.state === 'failed' && (
        <Anchor component={Link} to={`/downloads/${job.id}`} size="sm" c="red">
          {say.failed}
        </Anchor>
      )}
      <Button size="compact-sm" variant="default" loading={isBusy} leftSection={<IconDownload size={16} aria-hidden />} onClick={() => void pull()} aria-label={`${say.pull}: ${model}`}>
        {say.pull}
      </Button>
    </Group>
  );
}

function Running({ job }: { job: Job }) {
  const say = useCatalogTexts();
  const fraction = fractionOf(job);
  return (
    <Anchor component={Link} to={`/downloads/${job.id}`} size="sm">
      <Group gap={4} wrap="nowrap">
        <RingProgress size={24} thickness={4} sections={[{ value: 100 * (fraction ?? 0), color: 'kronk' }]} aria-hidden />
        <Text span size="sm" className="numbers">
          {fraction === null ? say.running : percent(fraction)}
        </Text>
      </Group>
    </Anchor>
  );
}

/** On a page of its own: the same with everything that can be told of it. */
export function PullPanel({ wanted, model, pulled, size }: Props & { size: string | null }) {
  const say = useCatalogTexts();
  const queries = useQueryClient();
  const job = usePull(wanted);
  const [isBusy, setBusy] = useState(false);
  const pull = async () => {
    setBusy(true);
    await beginPull(wanted, () => queries.invalidateQueries({ queryKey: JOBS_KEY }));
    setBusy(false);
  };
  const isRunning = job !== undefined && !isOver(job);
  if (pulled && !isRunning) {
    return (
      <Button component={Link} to={pageOf(model)} leftSection={<IconCheck size={18} aria-hidden />}>
        {say.toModel}
      </Button>
    );
  }
  return (
    <>
      {job !== undefined && job.state !== 'done' && <JobProgress job={job} />}
      {!isRunning && (
        <Button loading={isBusy} leftSection={<IconDownload size={18} aria-hidden />} onClick={() => void pull()}>
          {size === null ? say.pull : say.pullSize(size)}
        </Button>
      )}
      {isRunning && (
        <Text size="sm">
          {say.goesOn}{' '}
          <Anchor component={Link} to="/downloads" size="sm">
            {say.downloads}
          </Anchor>
        </Text>
      )}
    </>
  );
}
