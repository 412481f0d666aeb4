import { Button, Group, Select, Text } from '@mantine/core';
import { useState } from 'react';
import { type Connection, connectionOf, isThisKronk, setConnections, THIS_KRONK, useConnections } from '@/chat/connection';
import { confirmFirst } from '@/components/confirm';
import { ConnectionForm } from './ConnectionForm';
import { useChatTexts } from './texts';

const NEW: Connection = { id: '', name: '', dialect: 'openai', base: '', path: THIS_KRONK.path, key: '' };

/** Which server the chats go to. */
export function ConnectionSettings() {
  const say = useChatTexts().connection;
  const connections = useConnections();
  const current = connectionOf(connections);
  const [edited, setEdited] = useState<Connection | null>(null);
  const keep = (changed: Connection) => {
    const id = changed.id === '' ? crypto.randomUUID() : changed.id;
    const others = connections.others.filter((one) => one.id !== id);
    setConnections({ current: id, others: [...others, { ...changed, id }] });
    setEdited(null);
  };
  const remove = () =>
    confirmFirst({
      title: say.removeTitle,
      text: say.removeText,
      confirm: say.remove,
      cancel: say.cancel,
      onConfirm: () => setConnections({ current: THIS_KRONK.id, others: connections.others.filter(({ id }) => id !== current.id) }),
    });
  if (edited !== null) return <ConnectionForm start={edited} onKeep={keep} onCancel={() => setEdited(null)} />;
  return (
    <div>
      <Select
        label={say.title}
        description={say.help}
        data={[THIS_KRONK, ...connections.others].map((one) => ({ value: one.id, label: isThisKronk(one) ? say.own : one.name }))}
        value={current.id}
        onChange={(id) => id !== null && setConnections({ ...connections, current: id })}
        allowDeselect={false}
      />
      {!isThisKronk(current) && (
        <Text size="xs" c="dimmed" mt={4} className="breakable">
          {current.base}
          {current.path}
        </Text>
      )}
      <Group gap="xs" mt="xs">
        <Button size="compact-sm" variant="default" onClick={() => setEdited(NEW)}>
          {say.add}
        </Button>
        {!isThisKronk(current) && (
          <>
            <Button size="compact-sm" variant="default" onClick={() => setEdited(current)}>
              {say.edit}
            </Button>
            <Button size="compact-sm" variant="default" onClick={remove}>
              {say.remove}
            </Button>
          </>
        )}
      </Group>
    </div>
  );
}
