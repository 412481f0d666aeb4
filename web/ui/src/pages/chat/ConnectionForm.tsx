import { Alert, Button, Group, Paper, PasswordInput, Select, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { type Connection, CONNECTION_PRESETS, faultsOf, modelsOf } from '@/chat/connection';
import { ErrorNotice } from '@/components/ErrorNotice';
import { useChatTexts } from './texts';

interface Props {
  start: Connection;
  onKeep: (connection: Connection) => void;
  onCancel: () => void;
}

/** Another server's address and key. */
export function ConnectionForm({ start, onKeep, onCancel }: Props) {
  const say = useChatTexts().connection;
  const [typed, setTyped] = useState(start);
  const [isTold, setTold] = useState(false);
  const attempt = useMutation({ mutationFn: () => modelsOf(typed) });
  const faults = faultsOf(typed);
  const isGood = Object.keys(faults).length === 0;
  const set = (change: Partial<Connection>) => {
    attempt.reset();
    setTyped({ ...typed, ...change });
  };
  const fault = (field: 'name' | 'base' | 'path') => (isTold && faults[field] !== undefined ? say.faults[faults[field]] : undefined);
  const checked = (act: () => void) => {
    setTold(true);
    if (isGood) act();
  };
  const keep = (event: FormEvent) => {
    event.preventDefault();
    checked(() => onKeep({ ...typed, name: typed.name.trim(), base: typed.base.trim(), key: typed.key.trim() }));
  };
  return (
    <Paper component="form" p="sm" onSubmit={keep} noValidate aria-label={start.id === '' ? say.add : say.edit}>
      <Stack gap="xs">
        <Select
          size="sm"
          label={say.preset}
          data={CONNECTION_PRESETS.map(({ name }) => name)}
          value={null}
          placeholder="…"
          onChange={(name) => {
            const preset = CONNECTION_PRESETS.find((one) => one.name === name);
            if (preset !== undefined) set(preset);
          }}
        />
        <TextInput size="sm" label={say.name} required value={typed.name} error={fault('name')} onChange={(event) => set({ name: event.currentTarget.value })} />
        <TextInput size="sm" label={say.base} required placeholder="http://localhost:8080" value={typed.base} error={fault('base')} onChange={(event) => set({ base: event.currentTarget.value })} />
        <TextInput size="sm" label={say.path} required value={typed.path} error={fault('path')} onChange={(event) => set({ path: event.currentTarget.value })} />
        <PasswordInput size="sm" label={say.key} description={say.keyHelp} autoComplete="off" value={typed.key} onChange={(event) => set({ key: event.currentTarget.value })} />
        <Select
          size="sm"
          label={say.dialect}
          data={(['openai', 'llama', 'kronk'] as const).map((value) => ({ value, label: say.dialects[value] }))}
          value={typed.dialect}
          onChange={(value) => value !== null && set({ dialect: value })}
          allowDeselect={false}
        />
        {attempt.error !== null && <ErrorNotice error={attempt.error} />}
        {attempt.data !== undefined && (
          <Alert color="teal" role="status">
            {say.works(attempt.data.length)}
          </Alert>
        )}
        <Group gap="xs" justify="flex-end">
          <Button size="xs" variant="default" loading={attempt.isPending} onClick={() => checked(() => attempt.mutate())}>
            {say.test}
          </Button>
          <Button size="xs" variant="default" onClick={onCancel}>
            {say.cancel}
          </Button>
          <Button size="xs" type="submit">
            {say.save}
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}
