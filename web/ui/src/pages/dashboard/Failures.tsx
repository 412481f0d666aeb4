import { Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { historyQuery } from '@/api/modelFiles';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { Section } from '@/components/Section';
import { StateBadge } from '@/components/StateBadge';
import { useModelTexts } from '@/models/texts';
import { ago } from '@/text/format';
import { useDashboardTexts } from './texts';

const SHOWN = 6;

/** How processes of models ended, and why. */
export function Failures({ now }: { now: number }) {
  const say = useDashboardTexts();
  const { outcomes } = useModelTexts();
  const { data, error, refetch } = useQuery({ ...historyQuery(null), select: (all) => all.slice(0, SHOWN) });
  return (
    <Section title={say.failures}>
      {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Loading rows={3} />}
      {data?.length === 0 && (
        <Text c="dimmed" size="sm">
          {say.noFailures}
        </Text>
      )}
      <Stack gap="sm">
        {data?.map((one) => (
          <div key={`${one.model} ${one.generation} ${one.ended}`}>
            <Group gap="xs" wrap="nowrap">
              <StateBadge state={one.outcome} label={outcomes[one.outcome]} />
              <Text size="sm" fw={600} truncate>
                {one.model}
              </Text>
              <Text size="xs" c="dimmed" ml="auto" style={{ whiteSpace: 'nowrap' }}>
                {say.before(ago(one.ended, now))}
              </Text>
            </Group>
            <Text size="sm" c="dimmed" className="breakable">
              {one.cause} · {say.requests(one.requests)}
            </Text>
          </div>
        ))}
      </Stack>
    </Section>
  );
}
