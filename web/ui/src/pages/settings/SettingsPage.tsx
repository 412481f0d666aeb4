import { Button, Code, Group, SegmentedControl, Select, SimpleGrid, Stack, Text, useMantineColorScheme } from '@mantine/core';
import { Link } from 'react-router';
import { CopyButton } from '@/components/CopyButton';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { useLive } from '@/live/store';
import { setPreferences, usePreferences } from '@/preferences/preferences';
import { useSession } from '@/session/SessionContext';
import { seconds } from '@/text/format';
import { type Language, LANGUAGES } from '@/text/language';
import { useSettingsTexts } from './texts';
import { TokenForm } from './TokenForm';

export default function SettingsPage() {
  const say = useSettingsTexts();
  return (
    <>
      <PageHeader title={say.title} description={say.about} />
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Look />
        <Who />
        <Server />
      </SimpleGrid>
    </>
  );
}

function Look() {
  const say = useSettingsTexts();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { language } = usePreferences();
  return (
    <Section title={say.look}>
      <Stack>
        <div>
          <Text size="sm" fw={500} mb={4} id="theme">
            {say.theme}
          </Text>
          <SegmentedControl
            aria-labelledby="theme"
            fullWidth
            value={colorScheme}
            onChange={setColorScheme}
            data={(['auto', 'light', 'dark'] as const).map((value) => ({ value, label: say.themes[value] }))}
          />
        </div>
        <Select
          label={say.language}
          value={language}
          allowDeselect={false}
          data={[{ value: 'auto', label: say.asBrowser }, ...Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))]}
          onChange={(value) => setPreferences({ language: (value ?? 'auto') as Language | 'auto' })}
        />
      </Stack>
    </Section>
  );
}

function Who() {
  const say = useSettingsTexts();
  const { user } = useSession();
  const ways: Record<string, string> = say.ways;
  return (
    <Section title={say.who}>
      <Stack>
        <Facts
          rows={[
            [say.name, user === null ? say.nobody : (user.name ?? user.subject)],
            [say.subject, user?.subject ?? null],
            [say.via, ways[user?.via ?? 'anonymous'] ?? user?.via],
            [say.role, user?.admin === true ? say.admin : say.user],
          ]}
        />
        <TokenForm />
      </Stack>
    </Section>
  );
}

function Server() {
  const say = useSettingsTexts();
  const { state } = useLive();
  const session = useSession();
  const modes: Record<string, string> = say.modes;
  const address = `${location.origin}/v1`;
  return (
    <Section title={say.server}>
      <Stack>
        <Facts
          rows={[
            [say.version, state?.server.version],
            [say.uptime, state === null ? null : seconds(state.server.uptime)],
            [say.mode, modes[session.mode] ?? session.mode],
          ]}
        />
        <div>
          <Text size="xs" c="dimmed">
            {say.address}
          </Text>
          <Group gap="xs" wrap="nowrap">
            <Code className="breakable">{address}</Code>
            <CopyButton value={address} />
          </Group>
        </div>
        <Group>
          <Button component={Link} to="/security" variant="default" size="xs">
            {say.manage}
          </Button>
        </Group>
      </Stack>
    </Section>
  );
}
