import { Alert, Button, Code, Group, PasswordInput, Stack, Text } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { ApiError } from '@/api/errors';
import { confirmFirst } from '@/components/confirm';
import { CopyButton } from '@/components/CopyButton';
import { ErrorNotice } from '@/components/ErrorNotice';
import { tellDone } from '@/components/notices';
import { useReloadSession } from '@/session/SessionGate';
import { changePassword } from './api';
import { useSecurityTexts } from './texts';

const LEAST = 12;

/** Another password for the browser's login. */
export function PasswordForm() {
  const all = useSecurityTexts();
  const say = all.password;
  const reload = useReloadSession();
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [wasSent, setSent] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const refused = failure instanceof ApiError && failure.param === 'password' ? failure.message : undefined;
  const isShort = next.length < LEAST;
  const change = async (password: string | null) => {
    setFailure(null);
    try {
      const answer = await changePassword(password);
      if (answer.password !== null) {
        setMade(answer.password);
        return;
      }
      tellDone(say.done);
      reload();
    } catch (error) {
      setFailure(error);
    }
  };
  const send = (event: FormEvent) => {
    event.preventDefault();
    setSent(true);
    if (!isShort && next === again) void change(next);
  };
  const random = () => confirmFirst({ title: say.randomTitle, text: say.randomText, confirm: say.random, cancel: all.cancel, onConfirm: () => change(null) });
  if (made !== null) {
    return (
      <Alert role="status" color="teal" title={say.made}>
        <Stack gap="sm">
          <Code block>{made}</Code>
          <Group gap="xs">
            <CopyButton value={made} label={say.copy} />
            <Button size="xs" onClick={reload}>
              {say.log}
            </Button>
          </Group>
        </Stack>
      </Alert>
    );
  }
  return (
    <form onSubmit={send}>
      <Stack maw={420}>
        <Text size="sm">{say.text}</Text>
        <PasswordInput label={say.next} description={say.hint} autoComplete="new-password" value={next} error={wasSent && isShort ? say.short : refused} onChange={(event) => setNext(event.currentTarget.value)} />
        <PasswordInput label={say.again} autoComplete="new-password" value={again} error={wasSent && !isShort && next !== again ? say.different : undefined} onChange={(event) => setAgain(event.currentTarget.value)} />
        {failure !== null && refused === undefined && <ErrorNotice error={failure} />}
        <Group>
          <Button type="submit">{say.run}</Button>
          <Button variant="default" onClick={random}>
            {say.random}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
