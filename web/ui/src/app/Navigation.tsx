import { NavLink, Stack, Text } from '@mantine/core';
import { Link, useLocation } from 'react-router';
import { mayUse } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { type Group, PAGES, type PageRow } from './pages';
import { useAppTexts } from './texts';

const GROUPS: readonly Group[] = ['use', 'models', 'work', 'operate'];

export function Navigation() {
  const say = useAppTexts();
  const session = useSession();
  const { pathname } = useLocation();
  const seen = PAGES.filter((page) => mayUse(session, page.need));
  return (
    <Stack gap="sm">
      {GROUPS.map((group) => ({ group, pages: seen.filter((page) => page.group === group) }))
        .filter(({ pages }) => pages.length > 0)
        .map(({ group, pages }) => (
          <div key={group}>
            <Text size="xs" c="dimmed" fw={600} px="sm" mb={2}>
              {say.groups[group]}
            </Text>
            {pages.map((page) => (
              <Entry key={page.name} page={page} isHere={isAt(pathname, page.path)} label={say.pages[page.name]} />
            ))}
          </div>
        ))}
    </Stack>
  );
}

function Entry({ page, isHere, label }: { page: PageRow; isHere: boolean; label: string }) {
  const Picture = page.icon;
  return (
    <NavLink
      component={Link}
      to={page.path}
      label={label}
      active={isHere}
      aria-current={isHere ? 'page' : undefined}
      leftSection={<Picture size={18} stroke={1.7} aria-hidden />}
      py={6}
      px="sm"
      style={{ borderRadius: 'var(--mantine-radius-md)' }}
    />
  );
}

function isAt(pathname: string, path: string): boolean {
  return path === '/' ? pathname === '/' : pathname === path || pathname.startsWith(`${path}/`);
}
