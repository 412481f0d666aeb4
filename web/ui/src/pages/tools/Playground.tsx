import { Grid, Stack } from '@mantine/core';
import { useKept } from '@/preferences/kept';
import { Chain } from './Chain';
import { FunctionList } from './FunctionList';
import { QuestionForm } from './QuestionForm';
import { setupOf, usualSetup } from './setup';
import { useLoop } from './useLoop';

const USUAL = usualSetup();

/** Functions at the left; what a model makes of them at the right. */
export function Playground() {
  const [setup, setSetup] = useKept('kronk.tools.setup', setupOf, USUAL);
  const { loop, run, stop, reset, change } = useLoop();
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 5 }}>
        <FunctionList tools={setup.tools} onChange={(tools) => setSetup((old) => ({ ...old, tools }))} />
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 7 }}>
        <Stack>
          <QuestionForm setup={setup} onChange={setSetup} state={loop.state} onRun={(isWhole) => void run(setup, isWhole)} onStop={stop} onReset={reset} />
          <Chain loop={loop} onResult={change} />
        </Stack>
      </Grid.Col>
    </Grid>
  );
}
