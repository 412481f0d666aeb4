import { Button, Group, PasswordInput, Stack } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { ErrorNotice } from '@/components/ErrorNotice';
import { tellDone } from '@/components/notices';
import { preferences, setPreferences, usePreferences } from '@/preferences/preferences';
import { fetchSession } from '@/session/session';
import { useReloadSession } from '@/session/SessionGate';
import { useSettingsTexts } from './texts';

/** Puts a token in force that the server has found good; one it refuses changes nothing. */
export function TokenForm() {
  const say = useSettingsTexts();
  const reload = useReloadSession();
  const { token } = usePreferences();
  const [text, setText] = useState(token);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const wanted = text.trim();
  // fetch() refuses other characters in a header without saying why.
  const problem = /^[\x21-\x7e]*$/.test(wanted) ? null : say.control;

  const put = async (next: string) => {
    const before = preferences().token;
    setBusy(true);
    setError(null);
    setPreferences({ token: next });
    try {
      const session = await fetchSession();
      if (next !== '' && session.login && session.user === null) throw new Error(say.notGood);
      setText(next);
      tellDone(next === '' ? say.removed : say.saved);
      reload();
    } catch (failure) {
      setPreferences({ token: before });
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (problem === null) void put(wanted);
  };

  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <PasswordInput label={say.token} description={say.tokenHelp} autoComplete="off" maxLength={16_384} value={text} error={problem} onChange={(event) => setText(event.currentTarget.value)} />
        {error !== null && <ErrorNotice error={error} />}
        <Group gap="xs">
          <Button type="submit" loading={isBusy} disabled={wanted === token || wanted === ''}>
            {say.save}
          </Button>
          {token !== '' && (
            <Button variant="default" disabled={isBusy} onClick={() => void put('')}>
              {say.remove}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
