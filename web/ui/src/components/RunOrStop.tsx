import { Alert, Button, Group } from '@mantine/core';
import { IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';

interface Props {
  isRunning: boolean;
  run: string;
  stop: string;
  onStop: () => void;
  /** Why the form cannot be sent as it is, once somebody has tried. */
  fault: string | null;
}

/** The end of a form whose sending starts something that can be stopped. */
export function RunOrStop({ isRunning, run, stop, onStop, fault }: Props) {
  return (
    <>
      {fault !== null && (
        <Alert role="alert" color="orange" p="xs">
          {fault}
        </Alert>
      )}
      <Group>
        {isRunning ? (
          // Another element than the one that submits: a click on this must not become one on that.
          <Button key="stop" type="button" variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={onStop}>
            {stop}
          </Button>
        ) : (
          <Button key="run" type="submit" leftSection={<IconPlayerPlay size={16} aria-hidden />}>
            {run}
          </Button>
        )}
      </Group>
    </>
  );
}
