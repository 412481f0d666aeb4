import { Box, Stack } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconRulerMeasure } from '@tabler/icons-react';
import { useCallback, useState } from 'react';
import { useSearchParams } from 'react-router';
import { ApiError } from '@/api/errors';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { useEstimate } from './api';
import classes from './EstimatorPage.module.css';
import { faultsOf, fieldOf, type Form, formOf, questionOf, searchOf } from './question';
import { QuestionForm } from './QuestionForm';
import { Result } from './Result';
import { useEstimatorTexts } from './texts';
import { Proposal } from './Proposal';

const ASK_AFTER = 400;

export default function EstimatorPage() {
  const say = useEstimatorTexts();
  const [search, setSearch] = useSearchParams();
  const [form, setForm] = useState<Form>(() => formOf(search));
  const change = useCallback(
    (part: Partial<Form>) =>
      setForm((old) => {
        const next = { ...old, ...part };
        // The address has it after the render, so that a reload and a link ask the same.
        queueMicrotask(() => setSearch(searchOf(next), { replace: true }));
        return next;
      }),
    [setSearch],
  );
  const [late] = useDebouncedValue(form, ASK_AFTER);
  const question = questionOf(late);
  const { data: estimate, error, isFetching, refetch } = useEstimate(question);
  const wrong = error instanceof ApiError ? fieldOf(error.param) : null;
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      <Box className={classes.page}>
        <QuestionForm form={form} onChange={change} faults={faultsOf(form)} refused={wrong === null || error === null ? null : { field: wrong, message: error.message }} />
        <Stack aria-busy={isFetching} style={{ minWidth: 0 }}>
          {question === null && <EmptyState icon={IconRulerMeasure} title={say.begin.title} text={say.begin.text} />}
          {question !== null && error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
          {question !== null && error === null && estimate === undefined && <Loading rows={6} />}
          {question !== null && error === null && estimate !== undefined && <Result estimate={estimate} onTry={change} />}
          {question !== null && error === null && <Proposal key={JSON.stringify(question)} question={question} onTry={change} />}
        </Stack>
      </Box>
    </>
  );
}
