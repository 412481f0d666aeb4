import { Stack } from '@mantine/core';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { useLive } from '@/live/store';
import { LoadedModels } from './LoadedModels';
import { useDashboardTexts } from './texts';

export default function DashboardPage() {
  const say = useDashboardTexts();
  const { state } = useLive();
  return (
    <>
      <PageHeader title={say.title} />
      <Stack>
        <Section title={say.models}>{state === null ? <Loading /> : <LoadedModels models={state.models} />}</Section>
      </Stack>
    </>
  );
}
