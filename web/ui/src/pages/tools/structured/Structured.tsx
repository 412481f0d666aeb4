import { Grid, Stack } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { ask, THIS_KRONK } from '@/chat/connection';
import { type Answer, readAnswer } from '@/chat/stream';
import { useKept } from '@/preferences/kept';
import { AnswerView } from './AnswerView';
import { FormEditor } from './FormEditor';
import { QuestionForm } from './QuestionForm';
import { type Asked, askedOf, requestOf, setupOf, USUAL } from './setup';

const readAsked = (found: unknown): Asked | null => askedOf(found);

/** The form at the left; the question, the answer and what is wrong with it at the right. */
export default function Structured() {
  const [setup, setSetup] = useKept('kronk.structured.setup', setupOf, USUAL);
  const [asked, setAsked] = useKept<Asked | null>('kronk.structured.asked', readAsked, null);
  const [growing, setGrowing] = useState<Answer | null>(null);
  const [isRunning, setRunning] = useState(false);
  const stopper = useRef<AbortController | null>(null);
  useEffect(() => () => stopper.current?.abort(), []);

  const run = async () => {
    const stop = new AbortController();
    stopper.current = stop;
    setRunning(true);
    setGrowing(null);
    setAsked(null);
    const answer = await readAnswer(() => ask(THIS_KRONK, requestOf(setup), stop.signal), { onProgress: setGrowing });
    setAsked({ kind: setup.kind, forms: setup.forms, answer });
    setRunning(false);
  };

  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 6 }}>
        <FormEditor setup={setup} onChange={setSetup} />
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 6 }}>
        <Stack>
          <QuestionForm setup={setup} onChange={setSetup} isRunning={isRunning} onRun={() => void run()} onStop={() => stopper.current?.abort()} />
          <AnswerView growing={isRunning ? growing : null} isRunning={isRunning} asked={asked} />
        </Stack>
      </Grid.Col>
    </Grid>
  );
}
