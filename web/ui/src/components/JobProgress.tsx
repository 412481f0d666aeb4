import { ActionIcon, Alert, Group, Progress, Stack, Text, Tooltip } from '@mantine/core';
import { IconPlayerStop, IconRefresh, IconX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useNavigate } from 'react-router';
import { cancelJob, forgetJob, isOver, type Job, JOBS_KEY, repeatJob } from '@/api/jobs';
import { fractionOf, retryIn } from '@/api/jobList';
import { useLive } from '@/live/store';
import { useSession } from '@/session/SessionContext';
import { mayUse } from '@/session/session';
import { bytes, seconds } from '@/text/format';
import { confirmFirst } from './confirm';
import { remedyOf, useJobTexts } from './jobTexts';
import { tellError } from './notices';

/** How far a job is, with its speed and the time left; what went wrong, and what helps. */
export function JobProgress({ job, actions = true }: { job: Job; actions?: boolean }) {
  const say = useJobTexts();
  const now = useLive().state?.time ?? job.created;
  const fraction = fractionOf(job);
  const wait = retryIn(job, now);
  const line = useProgressLine(job);
  return (
    <Stack gap={6}>
      <Group gap="sm" wrap="nowrap" align="center">
        <Stack gap={4} style={{ flex: 1, minWidth: 0 }}>
          {!isOver(job) && (
            <Progress.Root size="lg" aria-label={say.progress(job.title)}>
              <Progress.Section
                value={fraction === null ? 100 : 100 * fraction}
                animated={job.state === 'running'}
                striped={fraction === null}
                color={wait === null ? undefined : 'orange'}
                aria-label={say.progress(job.title)}
              />
            </Progress.Root>
          )}
          <Text size="sm" className="numbers breakable">
            {line}
          </Text>
        </Stack>
        {actions && <JobActions job={job} />}
      </Group>
      {job.error !== null && job.state !== 'done' && <JobError job={job} wait={wait} />}
    </Stack>
  );
}

function useProgressLine(job: Job): ReactNode {
  const say = useJobTexts();
  const fraction = fractionOf(job);
  const spent = job.ended === null ? null : job.ended - (job.started ?? job.created);
  const parts = isOver(job)
    ? [say.states[job.state], job.total_bytes ? bytes(job.total_bytes) : null, spent === null || job.started === null ? null : say.took(seconds(spent))]
    : [
        job.phase === null ? say.states[job.state] : (say.phases[job.phase as keyof typeof say.phases] ?? job.phase),
        fraction === null ? null : `${Math.floor(100 * fraction)} %`,
        job.total_bytes === null ? (job.done_bytes > 0 ? bytes(job.done_bytes) : null) : say.of(bytes(job.done_bytes), bytes(job.total_bytes)),
        job.rate === null ? null : `${bytes(job.rate)}/s`,
        job.eta === null ? null : say.left(seconds(job.eta)),
      ];
  return parts.filter((part) => part !== null).join(' · ');
}

function JobError({ job, wait }: { job: Job; wait: number | null }) {
  const say = useJobTexts();
  const remedy = job.error === null ? null : remedyOf(job.error.code, say);
  return (
    <Alert color={wait === null ? 'red' : 'orange'} p="xs" role={wait === null ? 'alert' : 'status'}>
      <Text size="sm" className="breakable">
        {job.error?.message}
      </Text>
      {wait !== null && (
        <Text size="sm" className="numbers">
          {say.retry(seconds(wait), job.attempts)}
        </Text>
      )}
      {wait === null && remedy !== null && <Text size="sm">{remedy}</Text>}
    </Alert>
  );
}

/** Cancel while it runs; once it is over, again and forget. */
export function JobActions({ job }: { job: Job }) {
  const say = useJobTexts();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const session = useSession();
  const [isBusy, setBusy] = useState(false);
  if (!mayUse(session, 'admin')) return null;
  const act = async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(false);
      await queries.invalidateQueries({ queryKey: JOBS_KEY });
    }
  };
  const cancel = () =>
    confirmFirst({ title: say.cancelTitle, text: say.cancelText(job.title), confirm: say.cancelVerb, cancel: say.goOn, onConfirm: () => act(() => cancelJob(job.id)) });
  // Whoever stands at one job's own page goes on with the new one.
  const again = () =>
    act(async () => {
      const next = await repeatJob(job);
      if (location.pathname.endsWith(`/${job.id}`)) await navigate(`../${next.id}`, { relative: 'path' });
    });
  return (
    <Group gap={2} wrap="nowrap">
      {!isOver(job) && <Tool label={say.cancel(job.title)} busy={isBusy} onClick={cancel} icon={<IconPlayerStop size={18} aria-hidden />} />}
      {(job.state === 'failed' || job.state === 'cancelled') && (
        <Tool label={say.again(job.title)} busy={isBusy} onClick={() => void again()} icon={<IconRefresh size={18} aria-hidden />} />
      )}
      {isOver(job) && <Tool label={say.forget(job.title)} busy={isBusy} onClick={() => void act(() => forgetJob(job.id))} icon={<IconX size={18} aria-hidden />} />}
    </Group>
  );
}

function Tool({ label, icon, busy, onClick }: { label: string; icon: ReactNode; busy: boolean; onClick: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} loading={busy} onClick={onClick}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}
