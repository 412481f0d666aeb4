import { Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleX, IconInfoCircle } from '@tabler/icons-react';
import { Section } from '@/components/Section';
import type { LiveEvent } from '@/live/state';
import { ago } from '@/text/format';
import { useDashboardTexts } from './texts';

const PICTURES = { info: IconInfoCircle, warning: IconAlertTriangle, error: IconCircleX } as const;
const COLORS = { info: 'var(--mantine-color-dimmed)', warning: 'var(--mantine-color-orange-7)', error: 'var(--mantine-color-error)' } as const;
const SHOWN = 12;

export function Happenings({ happenings, now }: { happenings: readonly LiveEvent[]; now: number }) {
  const say = useDashboardTexts();
  return (
    <Section title={say.happened}>
      {happenings.length === 0 && (
        <Text c="dimmed" size="sm">
          {say.nothing}
        </Text>
      )}
      <Stack gap={6} role="log">
        {happenings.slice(0, SHOWN).map((one) => {
          const Picture = PICTURES[one.level];
          return (
            <Group key={`${one.sequence} ${one.message}`} gap="xs" wrap="nowrap" align="flex-start">
              <Picture size={18} color={COLORS[one.level]} aria-label={one.level} style={{ flex: 'none', marginTop: 2 }} />
              <Text size="sm" className="breakable" style={{ flex: 1 }}>
                {one.message}
              </Text>
              <Text size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
                {say.before(ago(one.time, now))}
              </Text>
            </Group>
          );
        })}
      </Stack>
    </Section>
  );
}
