import { Badge, Button, Group, Stack, Table, Text } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { confirmFirst } from '@/components/confirm';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { tellDone } from '@/components/notices';
import { moment } from '@/text/format';
import { createKey, deleteKey, type Key, useKeys } from './api';
import { useSecurityTexts } from './texts';

const MASTER = 'master';

export function Keys() {
  const all = useSecurityTexts();
  const say = all.keys;
  const queries = useQueryClient();
  const { data: keys, error, refetch } = useKeys();
  const [failure, setFailure] = useState<unknown>(null);
  const act = async (work: () => Promise<unknown>, done: string) => {
    setFailure(null);
    try {
      await work();
      tellDone(done);
    } catch (problem) {
      setFailure(problem);
    }
    await queries.invalidateQueries({ queryKey: ['security'] });
  };
  const remove = (key: Key) =>
    confirmFirst({ title: say.removeTitle, text: say.removeText, confirm: say.remove, cancel: all.cancel, onConfirm: () => act(() => deleteKey(key.id), say.removed) });
  const signing = keys?.filter((key) => key.id !== MASTER).sort((one, other) => other.created - one.created)[0]?.id;
  return (
    <Stack>
      <Text size="sm">{say.text}</Text>
      <Group>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => void act(createKey, say.created)}>
          {say.create}
        </Button>
      </Group>
      {failure !== null && <ErrorNotice error={failure} />}
      {error !== null && keys === undefined && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {error === null && keys === undefined && <Loading />}
      {keys !== undefined && (
        <Table.ScrollContainer minWidth={560}>
          <Table className="numbers">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{say.id}</Table.Th>
                <Table.Th>{say.made}</Table.Th>
                <Table.Th>{say.role}</Table.Th>
                <Table.Th>
                  <span hidden>{say.remove}</span>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {keys.map((key) => (
                <Table.Tr key={key.id}>
                  <Table.Td ff="monospace" className="breakable">
                    {key.id}
                  </Table.Td>
                  <Table.Td>{moment(key.created)}</Table.Td>
                  <Table.Td>
                    <Badge tt="none" variant="light" color={key.id === signing ? 'teal' : 'gray'}>
                      {key.id === MASTER ? say.master : key.id === signing ? say.signs : say.old}
                    </Badge>
                  </Table.Td>
                  <Table.Td ta="right">
                    {key.id !== MASTER && (
                      <Button size="compact-sm" variant="default" leftSection={<IconTrash size={14} aria-hidden />} aria-label={say.removeName(key.id)} onClick={() => remove(key)}>
                        {say.remove}
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <Text size="xs" c="dimmed">
        {say.masterStays}
      </Text>
    </Stack>
  );
}
