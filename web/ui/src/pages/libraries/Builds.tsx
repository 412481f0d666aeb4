import { Badge, Button, Group, Paper, Stack, Text, Title, Tooltip } from '@mantine/core';
import { IconPackages, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { confirmFirst } from '@/components/confirm';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { tellDone, tellError } from '@/components/notices';
import { type Build, isForHere, type Libraries, LIBRARIES_KEY, removeBuild } from './api';
import { useLibrariesTexts } from './texts';

export function Builds({ libraries, isAdmin }: { libraries: Libraries; isAdmin: boolean }) {
  const say = useLibrariesTexts();
  if (libraries.data.length === 0) return <EmptyState as="h3" icon={IconPackages} title={say.none.title} text={say.none.text} />;
  return (
    <Stack>
      {libraries.data.map((build) => (
        <Card key={build.path} build={build} libraries={libraries} isAdmin={isAdmin} />
      ))}
    </Stack>
  );
}

function Card({ build, libraries, isAdmin }: { build: Build; libraries: Libraries; isAdmin: boolean }) {
  const say = useLibrariesTexts();
  const queries = useQueryClient();
  const isOurs = isForHere(build, libraries);
  const name = `${build.processor} ${build.version}`;
  const state = !isOurs ? 'elsewhere' : build.used ? 'used' : build.works === null ? 'untried' : build.works ? 'works' : 'fails';
  const colors = { elsewhere: 'gray', used: 'teal', untried: 'gray', works: 'teal', fails: 'red' } as const;
  const remove = async () => {
    try {
      await removeBuild(build);
      tellDone(say.removed(name));
    } catch (error) {
      tellError(error);
    }
    await queries.invalidateQueries({ queryKey: LIBRARIES_KEY });
  };
  const ask = () => confirmFirst({ title: say.removeTitle(name), text: say.removeText, confirm: say.remove, cancel: say.cancel, onConfirm: remove });
  return (
    <Paper p="sm">
      <Group justify="space-between" mb="xs">
        <Group gap="xs">
          <Title order={3} size="h6">
            {name}
          </Title>
          <Badge variant="light" tt="none" color={colors[state]}>
            {say.states[state]}
          </Badge>
        </Group>
        {isAdmin && isOurs && (
          <Group gap="xs">
            <Tooltip label={say.useHint}>
              <Button size="xs" variant="default" component={Link} to="/configuration">
                {say.use}
              </Button>
            </Tooltip>
            <Button size="xs" variant="default" leftSection={<IconTrash size={14} aria-hidden />} onClick={ask}>
              {say.remove}
            </Button>
          </Group>
        )}
      </Group>
      {build.reason !== null && (
        <Text size="sm" mb="xs" className="breakable">
          {build.reason}
        </Text>
      )}
      <Facts
        rows={[
          [say.facts.platform, `${build.os}/${build.arch}`],
          [say.facts.devices, build.devices.length === 0 ? null : build.devices.join(', ')],
          [say.facts.commit, build.commit],
          [say.facts.proven, build.proven],
          [say.facts.installed, build.installed],
          [say.facts.source, build.source],
          [say.facts.path, build.path],
        ]}
      />
    </Paper>
  );
}
