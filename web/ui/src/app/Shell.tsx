import { Alert, AppShell, Burger, Group, ScrollArea, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { Suspense, useEffect, useRef } from 'react';
import { Link, Outlet, useLocation } from 'react-router';
import { Loading } from '@/components/Loading';
import { useLive } from '@/live/store';
import { SessionGate } from '@/session/SessionGate';
import { Footer } from './Footer';
import { Mark } from './Mark';
import { Navigation } from './Navigation';
import { useAppTexts } from './texts';

/** The frame of every page: who looks is known within it. */
export function Shell() {
  return (
    <SessionGate>
      <Frame />
    </SessionGate>
  );
}

function Frame() {
  const say = useAppTexts();
  const [isOpen, menu] = useDisclosure();
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  const section = pathname.split('/')[1];
  // Another page begins at its top, for the eye and for the keyboard.
  useEffect(() => {
    menu.close();
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `menu` is new at each render
  }, [section]);
  return (
    <>
      <a className="skip-link" href="#content">
        {say.skip}
      </a>
      <AppShell padding={{ base: 'sm', sm: 'lg' }} header={{ height: { base: 52, sm: 0 } }} navbar={{ width: 232, breakpoint: 'sm', collapsed: { mobile: !isOpen } }}>
        <AppShell.Header hiddenFrom="sm" px="sm">
          <Group h="100%" gap="sm">
            <Burger size="sm" opened={isOpen} onClick={menu.toggle} aria-label={isOpen ? say.closeMenu : say.openMenu} aria-expanded={isOpen} />
            <Home />
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="sm" aria-label={say.navigation}>
          <AppShell.Section visibleFrom="sm" px="xs" py="xs">
            <Home />
          </AppShell.Section>
          <AppShell.Section grow component={ScrollArea} type="auto" scrollbarSize={6}>
            <Navigation />
          </AppShell.Section>
          <AppShell.Section pt="xs">
            <Footer />
          </AppShell.Section>
        </AppShell.Navbar>
        <AppShell.Main ref={main} id="content" tabIndex={-1} style={{ outline: 'none' }}>
          <Disturbance />
          <Suspense fallback={<Loading />}>
            <Outlet />
          </Suspense>
        </AppShell.Main>
      </AppShell>
    </>
  );
}

function Home() {
  return (
    <Group component={Link} renderRoot={(props) => <Link to="/" {...props} />} gap="xs" c="inherit" td="none">
      <Mark size={26} />
      <Text fw={700} size="lg" style={{ letterSpacing: '-0.02em' }}>
        Kronk
      </Text>
    </Group>
  );
}

/** That the server is on its way out, or gone. */
function Disturbance() {
  const say = useAppTexts();
  const { connection, state, problem } = useLive();
  if (connection === 'lost') {
    return (
      <Alert mb="md" color="orange" role="status" icon={<IconPlugConnectedX aria-hidden />} title={say.connection.lost}>
        {problem}
      </Alert>
    );
  }
  return state?.server.draining === true ? (
    <Alert mb="md" color="orange" role="status">
      {say.draining}
    </Alert>
  ) : null;
}
