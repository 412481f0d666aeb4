import { Stack } from '@mantine/core';
import { Route, Routes } from 'react-router';
import { PageHeader } from '@/components/PageHeader';
import { ComparePage } from './ComparePage';
import { History } from './History';
import { RunPage } from './RunPage';
import { StartForm } from './StartForm';
import { useBenchmarkTexts } from './texts';

export default function BenchmarkPage() {
  return (
    <Routes>
      <Route index element={<Overview />} />
      <Route path="compare" element={<ComparePage />} />
      <Route path=":id" element={<RunPage />} />
    </Routes>
  );
}

function Overview() {
  const say = useBenchmarkTexts();
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      <Stack>
        <StartForm />
        <History />
      </Stack>
    </>
  );
}
