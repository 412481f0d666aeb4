import { Badge, Button, Group, Progress, Table, Text } from '@mantine/core';
import { IconCpu } from '@tabler/icons-react';
import { Link } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { Section } from '@/components/Section';
import type { LiveModel } from '@/live/state';
import { ModelStateBadge } from '@/models/ModelState';
import { useModelTexts } from '@/models/texts';
import { bytes, figure, percent, seconds } from '@/text/format';
import { useDashboardTexts } from './texts';

export function LoadedModels({ models }: { models: readonly LiveModel[] }) {
  const say = useDashboardTexts();
  return (
    <Section
      title={say.models}
      actions={
        <Button component={Link} to="/running" size="compact-sm" variant="default">
          {say.manage}
        </Button>
      }
    >
      {models.length === 0 ? <NoModel /> : <ModelTable models={models} />}
    </Section>
  );
}

function NoModel() {
  const say = useDashboardTexts().none;
  return (
    <EmptyState
      as="h3"
      icon={IconCpu}
      title={say.title}
      text={say.text}
      action={
        <Group>
          <Button component={Link} to="/chat">
            {say.chat}
          </Button>
          <Button component={Link} to="/catalog" variant="default">
            {say.catalog}
          </Button>
        </Group>
      }
    />
  );
}

function ModelTable({ models }: { models: readonly LiveModel[] }) {
  const say = useDashboardTexts();
  return (
    <Table.ScrollContainer minWidth={680}>
      <Table className="numbers">
        <Table.Thead>
          <Table.Tr>
            {Object.values(say.columns).map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {models.map((model) => (
            <ModelRow key={`${model.model} ${model.generation ?? ''}`} model={model} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function ModelRow({ model }: { model: LiveModel }) {
  const say = useDashboardTexts();
  return (
    <Table.Tr>
      <Table.Td className="breakable" fw={600}>
        {model.model}
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap">
          <ModelStateBadge row={model} />
          {model.pinned && (
            <Badge variant="default" tt="none">
              {say.pinned}
            </Badge>
          )}
        </Group>
        {model.fraction !== null && <LoadProgress model={model} fraction={model.fraction} />}
      </Table.Td>
      <Table.Td>
        {model.slots_busy} / {model.slots_total}
      </Table.Td>
      <Table.Td>{model.queued}</Table.Td>
      <Table.Td>{figure(model.tokens_per_second, 1)}</Table.Td>
      <Table.Td>{bytes(model.measured_bytes ?? model.rss_bytes)}</Table.Td>
      <Table.Td>{seconds(model.expires_in)}</Table.Td>
    </Table.Tr>
  );
}

function LoadProgress({ model, fraction }: { model: LiveModel; fraction: number }) {
  const { left, phases } = useModelTexts();
  const parts = [model.phase === null ? null : phases[model.phase], percent(fraction), model.eta === null ? null : left(seconds(model.eta))];
  const said = parts.filter((part) => part !== null).join(' · ');
  return (
    <>
      <Progress value={100 * fraction} size="sm" mt={6} aria-label={said} />
      <Text size="xs" c="dimmed">
        {said}
      </Text>
    </>
  );
}
