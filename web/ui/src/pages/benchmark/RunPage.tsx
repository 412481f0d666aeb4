import { Alert, Anchor, Button, List, Stack, Text } from '@mantine/core';
import { IconArrowLeft, IconDownload, IconGitCompare, IconPlayerStop, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from 'react-router';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { download } from '@/text/download';
import { moment } from '@/text/format';
import { About } from './About';
import { deleteFirst, stopFirst } from './actions';
import { type Run, useRun } from './api';
import { Progress } from './Progress';
import { Results } from './Results';
import { Rounds } from './Rounds';
import { RunBadge } from './RunBadge';
import { useBenchmarkTexts } from './texts';
import { usePlanName } from './words';

/** One run: how far it is, or what it has come to. */
export function RunPage() {
  const say = useBenchmarkTexts();
  const { id = '' } = useParams();
  const { data: run, error, refetch } = useRun(id);
  return (
    <>
      <Anchor component={Link} to="/benchmark" size="sm" display="inline-flex" mb="xs" style={{ alignItems: 'center', gap: 4 }}>
        <IconArrowLeft size={16} aria-hidden />
        {say.back}
      </Anchor>
      {run !== undefined ? <Shown run={run} /> : <PageHeader title={say.title} />}
      {run === undefined && (error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />)}
    </>
  );
}

function Shown({ run }: { run: Run }) {
  const say = useBenchmarkTexts();
  const planName = usePlanName();
  return (
    <>
      <PageHeader
        title={run.model}
        description={
          <>
            {planName(run)} · {moment(run.created)} {run.url !== null && `· ${say.at(run.url)}`} <RunBadge state={run.state} />
          </>
        }
        actions={<Actions run={run} />}
      />
      <Stack>
        {run.error !== null && (
          <Alert color="red" role="alert" title={say.states.failed}>
            <Text className="breakable">{run.error.message}</Text>
          </Alert>
        )}
        {run.state === 'running' && <Progress run={run} />}
        {run.state !== 'failed' && (
          <Section title={say.results}>
            {run.results.length > 0 ? <Results run={run} /> : <Text c="dimmed">{run.state === 'running' ? say.resultsNone : say.noFigures}</Text>}
          </Section>
        )}
        {run.notes.length > 0 && (
          <Section title={say.notes}>
            <List size="sm">
              {run.notes.map((note) => (
                <List.Item key={note} className="breakable">
                  {note}
                </List.Item>
              ))}
            </List>
          </Section>
        )}
        {run.results.length > 0 && <Rounds results={run.results} />}
        <About run={run} />
      </Stack>
    </>
  );
}

function Actions({ run }: { run: Run }) {
  const say = useBenchmarkTexts();
  const queries = useQueryClient();
  const navigate = useNavigate();
  if (run.state === 'running') {
    return (
      <Button color="red" variant="light" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={() => stopFirst(say, queries, run.id)}>
        {say.stop}
      </Button>
    );
  }
  const hasFigures = run.results.length > 0;
  return (
    <>
      {run.previous !== null && (
        <Button component={Link} to={`/benchmark/compare?runs=${run.previous},${run.id}`} variant="default" leftSection={<IconGitCompare size={16} aria-hidden />}>
          {say.comparePrevious}
        </Button>
      )}
      <Button component={Link} to={`/benchmark?from=${run.id}`} variant="default" leftSection={<IconRefresh size={16} aria-hidden />}>
        {say.again}
      </Button>
      {hasFigures && (
        <Button
          variant="default"
          leftSection={<IconDownload size={16} aria-hidden />}
          onClick={() => download(`benchmark-${run.id}.json`, `${JSON.stringify(run, null, 2)}\n`, 'application/json')}
        >
          {say.exportJson}
        </Button>
      )}
      <Button
        color="red"
        variant="light"
        leftSection={<IconTrash size={16} aria-hidden />}
        onClick={() => deleteFirst(say, queries, run.id, () => void navigate('/benchmark'))}
      >
        {say.remove}
      </Button>
    </>
  );
}
