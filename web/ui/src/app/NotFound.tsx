import { Button } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { Link, useLocation } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { useAppTexts } from './texts';

export function NotFound() {
  const say = useAppTexts().notFound;
  const { pathname } = useLocation();
  return (
    <EmptyState
      as="h1"
      icon={IconMapQuestion}
      title={say.title}
      text={say.text(pathname)}
      action={
        <Button component={Link} to="/">
          {say.back}
        </Button>
      }
    />
  );
}
