import { Button, Code } from '@mantine/core';
import { IconBug } from '@tabler/icons-react';
import { useRouteError } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { useAppTexts } from './texts';

/** In place of a page whose code has failed, or could not be loaded. */
export function Broken() {
  const say = useAppTexts().broken;
  const error = useRouteError();
  return (
    <EmptyState
      as="h1"
      icon={IconBug}
      title={say.title}
      text={say.text}
      action={
        <>
          <Code block>{error instanceof Error ? error.message : String(error)}</Code>
          <Button onClick={() => location.reload()}>{say.again}</Button>
        </>
      }
    />
  );
}
