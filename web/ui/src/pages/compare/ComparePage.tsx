import { Stack } from '@mantine/core';
import { IconColumns } from '@tabler/icons-react';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { useKept } from '@/preferences/kept';
import { setupOf, USUAL_SETUP, votesOf, withVote } from './comparison';
import { Results } from './Results';
import { SetupForm } from './SetupForm';
import { Tally } from './Tally';
import { useCompareTexts } from './texts';
import { useComparison } from './useComparison';

export default function ComparePage() {
  const say = useCompareTexts();
  const [setup, setSetup] = useKept('kronk.compare.setup', setupOf, USUAL_SETUP);
  const [votes, setVotes] = useKept('kronk.compare.votes', votesOf, []);
  const { run, isRunning, begin, stop } = useComparison();
  const vote = votes.find((one) => one.run === run?.id);
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      <Stack>
        <SetupForm setup={setup} onChange={setSetup} isRunning={isRunning} onRun={() => void begin(setup)} onStop={stop} />
        {run === null ? (
          <EmptyState icon={IconColumns} title={say.none.title} text={say.none.text} />
        ) : (
          <Results
            run={run}
            isRunning={isRunning}
            vote={vote === undefined ? undefined : vote.best}
            onVote={(best) => setVotes((old) => withVote(old, { run: run.id, models: run.columns.map(({ model }) => model), best }))}
          />
        )}
        <Tally votes={votes} onForget={() => setVotes([])} />
      </Stack>
    </>
  );
}
