import { Alert, Button, Group, Input, Modal, Select, Stack, Switch, TagsInput, Textarea, TextInput } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ApiError } from '@/api/errors';
import { useModels } from '@/api/models';
import { CopyButton } from '@/components/CopyButton';
import { ErrorNotice } from '@/components/ErrorNotice';
import { createToken, keysOf } from './api';
import { EndpointRows } from './EndpointRows';
import { useSecurityTexts } from './texts';
import { EMPTY, faultsOf, type TokenForm, wishOf } from './wish';

/** Makes a token, and shows it once. */
export function TokenDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const say = useSecurityTexts().create;
  const [made, setMade] = useState<string | null>(null);
  const close = () => {
    setMade(null);
    onClose();
  };
  return (
    // What is shown once must not be lost by a click beside it.
    <Modal opened={isOpen} onClose={close} title={made === null ? say.title : say.done} size="lg" closeOnClickOutside={made === null} closeOnEscape={made === null} withCloseButton={made === null}>
      {made === null ? <Maker onMade={setMade} /> : <Made token={made} onClose={close} />}
    </Modal>
  );
}

function Made({ token, onClose }: { token: string; onClose: () => void }) {
  const say = useSecurityTexts().create;
  const command = `curl ${location.origin}/v1/models -H "Authorization: Bearer ${token}"`;
  return (
    <Stack>
      <Alert color="teal" icon={<IconCheck aria-hidden />} role="status">
        {say.once}
      </Alert>
      <Textarea label={say.token} value={token} readOnly autosize maxRows={8} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12, wordBreak: 'break-all' } }} data-autofocus />
      <Group justify="space-between">
        <Group gap="xs">
          <CopyButton value={token} label={say.copy} />
          <CopyButton value={command} label={`${say.tryIt}: curl`} />
        </Group>
        <Button onClick={onClose}>{say.close}</Button>
      </Group>
    </Stack>
  );
}

function Maker({ onMade }: { onMade: (token: string) => void }) {
  const say = useSecurityTexts().create;
  const windows = useSecurityTexts().tokens.windows;
  const queries = useQueryClient();
  const models = useModels().data?.map((model) => model.id) ?? [];
  const [form, setForm] = useState<TokenForm>(EMPTY);
  const [wasSent, setSent] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const faults = faultsOf(form);
  const change = (part: Partial<TokenForm>) => setForm((old) => ({ ...old, ...part }));
  const refused = failure instanceof ApiError ? failure.param : null;
  const errorOf = (field: 'name' | 'duration' | 'endpoints' | 'tokens' | 'concurrency') => {
    const fault = wasSent ? faults[field] : undefined;
    return fault !== undefined ? say.faults[fault] : refused === field && failure instanceof Error ? failure.message : undefined;
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setSent(true);
    setFailure(null);
    if (Object.keys(faults).length > 0) return;
    setBusy(true);
    try {
      const made = await createToken(wishOf(form));
      await queries.invalidateQueries({ queryKey: keysOf.tokens });
      onMade(made.token);
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void send(event)} noValidate>
      <Stack gap="sm">
        <TextInput label={say.name} description={say.nameHint} value={form.name} error={errorOf('name')} onChange={(event) => change({ name: event.currentTarget.value })} data-autofocus />
        <Group align="flex-start" gap="xs">
          <TextInput label={say.duration} w={110} inputMode="numeric" value={form.duration} error={errorOf('duration')} onChange={(event) => change({ duration: event.currentTarget.value })} />
          <Select label={say.unit} w={130} allowDeselect={false} data={[{ value: 'h', label: say.units.h }, { value: 'd', label: say.units.d }]} value={form.unit} onChange={(unit) => change({ unit: unit === 'h' ? 'h' : 'd' })} />
        </Group>
        <Switch label={say.admin} description={say.adminHint} checked={form.isAdmin} onChange={(event) => change({ isAdmin: event.currentTarget.checked })} />
        {!form.isAdmin && (
          <>
            <Input.Wrapper label={say.endpoints} labelElement="div" error={errorOf('endpoints')}>
              <EndpointRows grants={form.endpoints} faults={wasSent ? faults : {}} onChange={(endpoints) => change({ endpoints })} />
            </Input.Wrapper>
            <TagsInput label={say.models} description={say.modelsHint} data={models} value={form.models} onChange={(next) => change({ models: next })} acceptValueOnBlur error={refused === 'models' && failure instanceof Error ? failure.message : undefined} />
            <Group align="flex-start" gap="xs">
              <TextInput label={say.tokens} placeholder={say.noLimit} style={{ flex: '1 1 12rem' }} inputMode="numeric" value={form.tokens} error={errorOf('tokens')} onChange={(event) => change({ tokens: event.currentTarget.value })} />
              <Select
                label={say.per}
                aria-label={say.tokensWindow}
                w={120}
                allowDeselect={false}
                data={(['day', 'month', 'year'] as const).map((window) => ({ value: window, label: windows[window] }))}
                value={form.tokensWindow}
                onChange={(window) => change({ tokensWindow: window === 'month' || window === 'year' ? window : 'day' })}
              />
              <TextInput label={say.concurrency} placeholder={say.noLimit} style={{ flex: '1 1 9rem' }} inputMode="numeric" value={form.concurrency} error={errorOf('concurrency')} onChange={(event) => change({ concurrency: event.currentTarget.value })} />
            </Group>
          </>
        )}
        {failure !== null && <ErrorNotice error={failure} />}
        <Group justify="flex-end">
          <Button type="submit" loading={isBusy}>
            {say.run}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
