import { ActionIcon, Box, Group, Menu, Text, Tooltip, useMantineColorScheme } from '@mantine/core';
import { IconDeviceDesktop, IconLogout, IconMoon, IconSun } from '@tabler/icons-react';
import { useLive } from '@/live/store';
import { logOut } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { useReloadSession } from '@/session/SessionGate';
import { tellError } from '@/components/notices';
import { useAppTexts } from './texts';

const PICTURES = { light: IconSun, dark: IconMoon, auto: IconDeviceDesktop } as const;
const COLORS = { connecting: 'gray', live: 'teal', lost: 'orange', denied: 'red', forbidden: 'gray' } as const;

/** Whether the page is live, the theme, and the way out. */
export function Footer() {
  return (
    <Group justify="space-between" gap="xs" px="xs" wrap="nowrap">
      <Connection />
      <Group gap={4} wrap="nowrap">
        <ThemeMenu />
        <LogOut />
      </Group>
    </Group>
  );
}

function Connection() {
  const say = useAppTexts().connection;
  const { connection, state } = useLive();
  return (
    <Group gap={8} wrap="nowrap" role="status" style={{ minWidth: 0 }}>
      <Box w={9} h={9} bg={COLORS[connection]} style={{ borderRadius: '50%', flex: 'none' }} />
      <Text size="xs" c="dimmed" truncate title={say[connection]}>
        {connection === 'live' && state !== null ? `${say.live} · ${state.server.version}` : say[connection]}
      </Text>
    </Group>
  );
}

function ThemeMenu() {
  const say = useAppTexts().theme;
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Picture = PICTURES[colorScheme];
  return (
    <Menu position="top-end">
      <Menu.Target>
        <Tooltip label={say.label}>
          <ActionIcon variant="subtle" color="gray" aria-label={`${say.label}: ${say[colorScheme]}`}>
            <Picture size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {(['light', 'dark', 'auto'] as const).map((scheme) => {
          const Item = PICTURES[scheme];
          return (
            <Menu.Item key={scheme} leftSection={<Item size={16} aria-hidden />} onClick={() => setColorScheme(scheme)}>
              {say[scheme]}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}

function LogOut() {
  const say = useAppTexts();
  const session = useSession();
  const reload = useReloadSession();
  if (session.user?.via !== 'session') return null;
  const leave = async () => {
    try {
      await logOut();
    } catch (error) {
      tellError(error);
    }
    reload();
  };
  return (
    <Tooltip label={say.logOut}>
      <ActionIcon variant="subtle" color="gray" aria-label={say.logOut} onClick={leave}>
        <IconLogout size={18} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
