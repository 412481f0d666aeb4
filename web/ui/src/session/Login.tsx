import { Anchor, Button, Center, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { Mark } from '@/app/Mark';
import { ErrorNotice } from '@/components/ErrorNotice';
import { setPreferences } from '@/preferences/preferences';
import { texts } from '@/text/texts';
import { logIn } from './session';
import { useReloadSession } from './SessionGate';

const useWords = texts({
  en: {
    title: 'Log in to Kronk',
    password: 'Password',
    token: 'Token',
    passwordHelp: 'The first one is in keys/first-password of the server; `kronk security password` sets another.',
    tokenHelp: 'From `kronk security token create`. It stays in this browser.',
    enter: 'Log in',
    useToken: 'Use a token instead',
    usePassword: 'Use the password instead',
    notGood: 'This token is not good',
  },
  de: {
    title: 'Bei Kronk anmelden',
    password: 'Passwort',
    token: 'Token',
    passwordHelp: 'Das erste steht in keys/first-password des Servers; `kronk security password` setzt ein anderes.',
    tokenHelp: 'Von `kronk security token create`. Es bleibt in diesem Browser.',
    enter: 'Anmelden',
    useToken: 'Mit einem Token',
    usePassword: 'Mit dem Passwort',
    notGood: 'Dieses Token gilt nicht',
  },
});

/** Where the server asks who one is: the administrator's password, or a token. */
export function Login({ problem = null }: { problem?: Error | null }) {
  const say = useWords();
  const reload = useReloadSession();
  const [way, setWay] = useState<'password' | 'token'>(problem === null ? 'password' : 'token');
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>(problem);
  const [isBusy, setBusy] = useState(false);

  const enter = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      if (way === 'token') setPreferences({ token: text.trim() });
      else {
        setPreferences({ token: '' });
        await logIn(text);
      }
      reload();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper w="100%" maw={400} p="xl" shadow="sm">
        <form onSubmit={enter}>
          <Stack>
            <Mark size={40} />
            <Title order={1} size="h3">
              {say.title}
            </Title>
            <PasswordInput
              key={way}
              label={say[way]}
              description={way === 'password' ? say.passwordHelp : say.tokenHelp}
              autoComplete={way === 'password' ? 'current-password' : 'off'}
              maxLength={way === 'password' ? 1024 : 16_384}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              data-autofocus
              required
            />
            {error !== null && <ErrorNotice error={error} {...(way === 'token' ? { title: say.notGood } : {})} />}
            <Button type="submit" loading={isBusy}>
              {say.enter}
            </Button>
            <Text size="sm" ta="center">
              <Anchor component="button" type="button" onClick={() => { setWay(way === 'password' ? 'token' : 'password'); setText(''); setError(null); }}>
                {way === 'password' ? say.useToken : say.usePassword}
              </Anchor>
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
