import { Anchor, Badge, Code, Group, Stack, Switch, Table, Text, TextInput } from '@mantine/core';
import { IconSearch, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { call } from '@/api/http';
import type { ModelDetails } from '@/api/modelFiles';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { originKind, type OriginKind, settingsOf, written } from './facts';
import { useModelsTexts } from './texts';

const COLORS: Record<OriginKind, string> = { default: 'gray', catalog: 'blue', preset: 'grape', file: 'teal', other: 'orange' };

interface Answer {
  file: string | null;
  models: { id: string; configuration: Record<string, unknown>; origins: Record<string, string> }[];
}

/** What is in force for the model, key by key, and who said so. */
export function Configuration({ details }: { details: ModelDetails }) {
  const say = useModelsTexts().configuration;
  const [words, setWords] = useState('');
  const [own, setOwn] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ['models', 'configuration', details.id],
    queryFn: ({ signal }) => call<Answer>('/v1/kronk/config', { query: { model: details.id }, signal }),
  });
  if (error !== null && data === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading />;
  const { configuration, origins } = data.models[0] ?? details;
  const rows = settingsOf(configuration, origins, words, own);
  return (
    <Stack>
      <Text size="sm">
        {data.file === null ? say.noFile : say.file(data.file)}{' '}
        <Anchor component={Link} to={`/configuration?model=${encodeURIComponent(details.id)}`} size="sm">
          {say.edit}
        </Anchor>
      </Text>
      <Group align="flex-end">
        <TextInput label={say.search} leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} style={{ flex: '1 1 14rem' }} />
        <Switch label={say.own} checked={own} onChange={(event) => setOwn(event.currentTarget.checked)} mb={8} />
      </Group>
      {rows.length === 0 ? (
        <EmptyState as="h2" icon={IconSearchOff} title={say.none} text={own ? say.allDefault : say.noMatch} />
      ) : (
        <Table layout="fixed" aria-label={say.title}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w="40%">{say.key}</Table.Th>
              <Table.Th>{say.value}</Table.Th>
              <Table.Th>{say.origin}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ key, value, origin }) => (
              <Table.Tr key={key}>
                <Table.Td className="breakable">
                  <Code>{key}</Code>
                </Table.Td>
                <Table.Td className="breakable numbers">{value === null ? <Text size="sm" c="dimmed">{say.automatic}</Text> : written(value)}</Table.Td>
                <Table.Td>
                  <Badge variant="light" radius="sm" color={COLORS[originKind(origin)]} tt="none" autoContrast h="auto" py={2} styles={{ label: { whiteSpace: 'normal', overflowWrap: 'anywhere' } }}>
                    {originKind(origin) === 'default' ? say.default : origin}
                  </Badge>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
