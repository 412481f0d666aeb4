import { Alert, Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { IconArrowLeft, IconSend } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useDeferredValue, useMemo, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { ErrorNotice } from '@/components/ErrorNotice';
import { tellDone } from '@/components/notices';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { askAgain, begin } from './api';
import { Asking } from './Asking';
import { Preview } from './Preview';
import { endpointIn, prepare, writes } from './requests';
import { columnsOf, likelyColumn, parse } from './sources';
import { SourceInput } from './SourceInput';
import { useBatchTexts } from './texts';
import { type Draft, forgetDraft, useDraft } from './useDraft';

const MOST_TOKENS = 1_000_000;

/** Where a batch is made. */
export function NewBatch() {
  const say = useBatchTexts();
  const words = say.new;
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [draft, change] = useDraft();
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const { parsed, columns, column, prepared } = usePrepared(draft);
  const problems = numberProblems(draft, words.between);
  const named = endpointIn(parsed.items);
  const isReady = prepared.requests.length > 0 && prepared.problems.length === 0 && Object.keys(problems).length === 0;

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!isReady) return;
    setBusy(true);
    setError(null);
    try {
      const batch = await begin(prepared.requests.map(({ request }) => request), draft.endpoint, draft.name.trim());
      tellDone(words.sent);
      forgetDraft(draft);
      void askAgain(queries);
      await navigate(`/batches/${batch.id}`);
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  return (
    <>
      <Anchor component={Link} to="/batches" size="sm" display="inline-flex" mb="xs" style={{ alignItems: 'center', gap: 4 }}>
        <IconArrowLeft size={16} aria-hidden />
        {say.back}
      </Anchor>
      <PageHeader title={words.title} description={words.description} />
      <form onSubmit={send} noValidate>
        <Stack>
          <Section title={words.source}>
            <SourceInput draft={draft} columns={columns} column={column} onChange={change} />
          </Section>
          <Section title={words.how}>
            <Asking draft={draft} problems={problems} onChange={change} />
            {parsed.items.some(({ body }) => body !== null) && writes(draft.endpoint) && (
              <Text size="sm" mt="sm">
                {words.asIs}
              </Text>
            )}
            {named !== null && named !== draft.endpoint && (
              <Alert mt="sm" color="blue">
                <Group justify="space-between">
                  <Text size="sm">{say.problems.url(named)}</Text>
                  <Button size="xs" variant="default" onClick={() => change({ endpoint: named })}>
                    {say.endpoints[named]}
                  </Button>
                </Group>
              </Alert>
            )}
          </Section>
          <Section title={words.preview}>
            <Preview prepared={prepared} />
          </Section>
          {error !== null && <ErrorNotice error={error} />}
          <Group>
            <Button type="submit" loading={isBusy} disabled={!isReady} leftSection={<IconSend size={16} aria-hidden />}>
              {words.send}
            </Button>
            <Text size="sm" role="status">
              {prepared.problems.length > 0 ? words.wrong(prepared.problems.length) : prepared.requests.length > 0 ? words.ready(prepared.requests.length) : words.nothing}
            </Text>
          </Group>
        </Stack>
      </form>
    </>
  );
}

/** What the draft comes to. Large texts are looked at when there is time for it. */
function usePrepared(draft: Draft) {
  const text = useDeferredValue(draft.text);
  const { format, hasHead } = draft;
  const columns = useMemo(() => (format === 'csv' ? columnsOf(text, hasHead) : []), [format, text, hasHead]);
  const column = draft.column !== null && columns.includes(draft.column) ? draft.column : likelyColumn(columns);
  const parsed = useMemo(() => parse(format, text, { column, hasHead }), [format, text, column, hasHead]);
  const { endpoint, model, system, maxTokens, temperature } = draft;
  const prepared = useMemo(
    () => prepare(parsed, { endpoint, model, system, maxTokens, temperature }),
    [parsed, endpoint, model, system, maxTokens, temperature],
  );
  return { parsed, columns, column, prepared };
}

function numberProblems(draft: Draft, between: (least: number, most: number) => string): { maxTokens?: string; temperature?: string } {
  const isIn = (value: number | string, least: number, most: number) => value === '' || (typeof value === 'number' && value >= least && value <= most);
  return {
    ...(isIn(draft.maxTokens, 1, MOST_TOKENS) ? {} : { maxTokens: between(1, MOST_TOKENS) }),
    ...(isIn(draft.temperature, 0, 2) ? {} : { temperature: between(0, 2) }),
  };
}
