import { IconLock } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { EmptyState } from '@/components/EmptyState';
import { mayUse, type Need } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { useAppTexts } from './texts';

/** The page, for whom it is for. */
export function Guarded({ need, children }: { need: Need; children: ReactNode }) {
  const session = useSession();
  const say = useAppTexts();
  if (mayUse(session, need)) return children;
  return <EmptyState as="h1" icon={IconLock} title={say.needsAdmin.title} text={say.needsAdmin.text} />;
}
