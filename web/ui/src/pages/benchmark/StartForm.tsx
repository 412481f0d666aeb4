import { Alert, Button, Checkbox, Group, Stack, Text } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { ApiError } from '@/api/errors';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { ModelSelect } from '@/components/ModelSelect';
import { Section } from '@/components/Section';
import { figure } from '@/text/format';
import { askAgain, begin, type Presets, useRun, useRuns, usePresets } from './api';
import { requestsOf, tokensOf } from './figures';
import { check, CUSTOM, fieldOf, fieldsOf, type Form, formOf, orderOf, planOf, type Problems } from './form';
import { OtherServer } from './OtherServer';
import { PlanFields } from './PlanFields';
import { PresetChoice } from './PresetChoice';
import { useBenchmarkTexts } from './texts';

const FIRST = 'quick';

/** Where a run is ordered; `?from=` is one to begin with, `?model=` a model. */
export function StartForm() {
  const say = useBenchmarkTexts();
  const [search] = useSearchParams();
  const from = search.get('from');
  const presets = usePresets();
  const run = useRun(from);
  const ready = presets.data !== undefined && (from === null || run.data !== undefined || run.error !== null);
  return (
    <Section title={say.start}>
      {presets.error !== null && <ErrorNotice error={presets.error} onRetry={() => void presets.refetch()} />}
      {ready && presets.data ? (
        <Fields key={from ?? ''} presets={presets.data} begin={{ ...(run.data ? formOf(run.data) : {}), ...(search.get('model') === null ? {} : { model: search.get('model') ?? '' }) }} />
      ) : (
        presets.error === null && <Loading rows={3} />
      )}
    </Section>
  );
}

function Fields({ presets, begin: first }: { presets: Presets; begin: Partial<Form> }) {
  const say = useBenchmarkTexts();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const runs = useRuns(null);
  const [form, setForm] = useState<Form>(() => ({ ...emptyForm(presets), ...first }));
  const [problems, setProblems] = useState<Problems>({});
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const running = runs.data?.data.find((run) => run.state === 'running');
  const plan = form.preset === CUSTOM ? planOf(form) : (presets.data.find(({ name }) => name === form.preset)?.plan ?? null);

  const change = (changes: Partial<Form>) => {
    setForm((before) => ({ ...before, ...changes }));
    setProblems((before) => Object.fromEntries(Object.entries(before).filter(([field]) => !(field in changes))));
  };

  const send = async (event: FormEvent) => {
    event.preventDefault();
    const found = check(form, presets.limits, say.problems);
    setProblems(found);
    setError(null);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      const run = await begin(orderOf(form));
      void askAgain(queries);
      await navigate(`/benchmark/${run.id}`);
    } catch (failure) {
      const field = failure instanceof ApiError ? fieldOf(failure.param, form) : null;
      if (field !== null && failure instanceof Error) setProblems({ [field]: failure.message });
      else setError(failure);
      setBusy(false);
    }
  };

  return (
    <form onSubmit={send} noValidate>
      <Stack>
        {!form.isElsewhere && (
          <ModelSelect maw={520} purpose="chat" value={form.model} onChange={(model) => change({ model: model ?? '' })} error={problems.model} />
        )}
        <OtherServer form={form} problems={problems} onChange={change} />
        <PresetChoice presets={presets} value={form.preset} onChange={(preset) => change({ preset, ...(plan === null || preset !== CUSTOM ? {} : fieldsOf(plan)) })} />
        {form.preset === CUSTOM && <PlanFields form={form} problems={problems} onChange={change} />}
        <Checkbox label={say.fields.cold.name} description={say.fields.cold.text} checked={form.cold} onChange={(event) => change({ cold: event.currentTarget.checked })} />
        {error !== null && <ErrorNotice error={error} />}
        {running !== undefined && (
          <Alert color="blue" role="status" title={say.busy}>
            <Group justify="space-between" gap="xs">
              <Text size="sm">{say.busyText}</Text>
              <Button component={Link} to={`/benchmark/${running.id}`} size="xs">
                {say.watch}
              </Button>
            </Group>
          </Alert>
        )}
        <Group gap="md">
          <Button type="submit" loading={isBusy} disabled={running !== undefined} leftSection={<IconPlayerPlay size={16} aria-hidden />}>
            {say.begin}
          </Button>
          {plan !== null && (
            <Text size="sm" c="dimmed" style={{ flex: '1 1 16rem' }}>
              {say.sum(figure(requestsOf(plan)), figure(tokensOf(plan)))}
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function emptyForm(presets: Presets): Form {
  const preset = presets.data.find(({ name }) => name === FIRST) ?? presets.data[0];
  const plan = preset?.plan ?? { prompt_sizes: [128], concurrency: [1], max_tokens: 32, shared_prefix: 0, repetitions: 3, warm_up: 1 };
  return { ...fieldsOf(plan), model: '', preset: preset?.name ?? CUSTOM, cold: false, isElsewhere: false, baseUrl: '', otherModel: '', apiKey: '' };
}
