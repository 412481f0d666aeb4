import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconCheck, IconDownload, IconShieldCheck } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { beginJob, isOver, type Job, type JobKinds, useJobs } from '@/api/jobs';
import { filesQuery, type Integrity, type IntegrityFacts, type ModelDetails, type ModelFile } from '@/api/modelFiles';
import { MODELS_KEY } from '@/api/models';
import { confirmFirst } from '@/components/confirm';
import { CopyButton } from '@/components/CopyButton';
import { Facts } from '@/components/Facts';
import { JobProgress } from '@/components/JobProgress';
import { tellError } from '@/components/notices';
import { Section } from '@/components/Section';
import { StateBadge } from '@/components/StateBadge';
import { useModelTexts } from '@/models/texts';
import { UNKNOWN } from '@/text/format';
import { useModelsTexts } from './texts';

const COLORED = { verified: 'ok', changed: 'backoff', damaged: 'broken', unknown: 'unloaded' } as const;

/** Whether the files are what they should be, and what can be done where they are not. */
export function IntegrityTab({ details }: { details: ModelDetails }) {
  const say = useModelsTexts().integrity;
  const shared = useModelTexts();
  const queries = useQueryClient();
  const file = useQuery(filesQuery()).data?.find((one) => one.id === details.id);
  const [isBusy, setBusy] = useState(false);
  const known = details.integrity;
  const { state, note, reason, source, isWhole } = standing(known, file);
  const job = useLastJob(details.id, source);
  const isRunning = job !== undefined && !isOver(job);

  const begin = async <K extends keyof JobKinds>(kind: K, params: JobKinds[K]) => {
    setBusy(true);
    try {
      await beginJob(kind, params);
      await queries.invalidateQueries({ queryKey: ['jobs'] });
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(false);
    }
  };
  const accept = () =>
    confirmFirst({ title: say.acceptTitle, text: say.acceptText, confirm: say.accept, cancel: say.cancel, onConfirm: () => begin('verify', { model: details.id, accept: true }) });
  return (
    <Stack>
      <Section title={say.title} actions={<StateBadge state={COLORED[state]} label={shared.integrity[state]} />}>
        <Stack gap="sm">
          <Text size="sm">{say.states[state]}</Text>
          <Warning color="orange" text={note} />
          <Warning color="red" text={reason} />
          {known !== null && <Known known={known} />}
          <Deeds state={state} canFetch={source !== null && (state === 'damaged' || !isWhole)} isBusy={isBusy || isRunning} onVerify={() => void begin('verify', { model: details.id })} onFetch={() => void begin('pull', { wanted: source ?? '' })} onAccept={accept} />
          {source === null && !isWhole && <Text size="sm">{say.noSource}</Text>}
        </Stack>
      </Section>
      {job !== undefined && (
        <Section title={say.job(job.title)}>
          <JobProgress job={job} />
        </Section>
      )}
    </Stack>
  );
}

interface Deed {
  state: Integrity;
  canFetch: boolean;
  isBusy: boolean;
  onVerify: () => void;
  onFetch: () => void;
  onAccept: () => void;
}

function Deeds({ state, canFetch, isBusy, onVerify, onFetch, onAccept }: Deed) {
  const say = useModelsTexts().integrity;
  return (
    <Group gap="xs">
      <Button leftSection={<IconShieldCheck size={16} aria-hidden />} loading={isBusy} onClick={onVerify}>
        {say.verify}
      </Button>
      {canFetch && (
        <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} disabled={isBusy} onClick={onFetch}>
          {say.repair}
        </Button>
      )}
      {(state === 'damaged' || state === 'changed') && (
        <Button variant="default" leftSection={<IconCheck size={16} aria-hidden />} disabled={isBusy} onClick={onAccept}>
          {say.accept}
        </Button>
      )}
    </Group>
  );
}

function Warning({ color, text }: { color: string; text: string | null }) {
  if (text === null) return null;
  return (
    <Alert color={color} p="xs">
      <Text size="sm" className="breakable">
        {text}
      </Text>
    </Alert>
  );
}

function Known({ known }: { known: IntegrityFacts }) {
  const say = useModelsTexts().integrity;
  return (
    <>
      <Facts
        rows={[
          [say.verified, known.verified === null ? UNKNOWN : known.verified.replace('T', ' ').slice(0, 19)],
          [say.source, known.source],
          [say.licence, known.licence],
          [say.revision, known.revision],
        ]}
      />
      {known.sha256 !== null && (
        <div>
          <Text size="xs" c="dimmed">
            SHA-256
          </Text>
          <Text size="sm" ff="monospace" className="breakable" component="div">
            {known.sha256} <CopyButton value={known.sha256} name={say.copyDigest} />
          </Text>
        </div>
      )}
    </>
  );
}

/** The list knows the newest; of a model that is not in it, what is noted. */
function standing(known: IntegrityFacts | null, file: ModelFile | undefined) {
  return {
    state: file?.integrity ?? known?.state ?? 'unknown',
    note: known?.note ?? file?.note ?? null,
    reason: file?.reason ?? null,
    source: known?.source ?? null,
    isWhole: file?.validated !== false,
  };
}

/** The last job about the model's files; when one ends, what it has found out is asked for. */
function useLastJob(model: string, source: string | null): Job | undefined {
  const queries = useQueryClient();
  const job = useJobs().data?.find((one) => isAbout(one, model, source));
  const over = job !== undefined && isOver(job) ? job.id : null;
  useEffect(() => {
    if (over !== null) void queries.invalidateQueries({ queryKey: MODELS_KEY });
  }, [queries, over]);
  return job;
}

/** Whether a job checks that model, or fetches it again. */
function isAbout(job: Job, model: string, source: string | null): boolean {
  if (job.kind === 'verify') return job.params.model === model;
  return job.kind === 'pull' && source !== null && job.params.wanted === source;
}
