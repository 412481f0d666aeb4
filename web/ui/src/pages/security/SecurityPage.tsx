import { Alert, Badge, Code, Group, Stack, Tabs, Text } from '@mantine/core';
import { IconLockOpen } from '@tabler/icons-react';
import { useLocation, useNavigate } from 'react-router';
import { CopyButton } from '@/components/CopyButton';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { type Overview, useOverview } from './api';
import { AuditLog } from './AuditLog';
import { Keys } from './Keys';
import { PasswordForm } from './PasswordForm';
import { useSecurityTexts } from './texts';
import { Tokens } from './Tokens';
import { Usage } from './Usage';

const TABS = ['tokens', 'keys', 'usage', 'audit', 'password'] as const;
const COMMAND = 'kronk server start --auth-enabled';

export default function SecurityPage() {
  const say = useSecurityTexts();
  const { data: overview, error, refetch } = useOverview();
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      {error !== null && overview === undefined && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {error === null && overview === undefined && <Loading rows={6} />}
      {overview !== undefined && <Areas overview={overview} />}
    </>
  );
}

function Areas({ overview }: { overview: Overview }) {
  const say = useSecurityTexts();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const name = pathname.split('/')[2];
  const isOpen = overview.mode === 'open';
  const tab = TABS.find((each) => each === name) ?? 'tokens';
  const closed = <Open />;
  return (
    <>
      <State overview={overview} />
      <Tabs value={tab} onChange={(next) => void navigate(`/security/${next ?? 'tokens'}`)} keepMounted={false}>
        <Tabs.List mb="md">
          {TABS.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {say.tabs[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="tokens">{isOpen ? closed : <Tokens />}</Tabs.Panel>
        <Tabs.Panel value="keys">{isOpen ? closed : <Keys />}</Tabs.Panel>
        <Tabs.Panel value="usage">{isOpen ? closed : <Usage />}</Tabs.Panel>
        <Tabs.Panel value="audit">
          <AuditLog />
        </Tabs.Panel>
        <Tabs.Panel value="password">{isOpen ? closed : <PasswordForm />}</Tabs.Panel>
      </Tabs>
    </>
  );
}

function State({ overview }: { overview: Overview }) {
  const say = useSecurityTexts();
  const faults = [overview.keys_folder_fault, overview.policy_problem, overview.mode === 'open' ? null : overview.admin_token_fault].filter((fault) => fault !== null);
  return (
    <Stack gap="xs" mb="md">
      <Group gap="xs">
        <Badge tt="none" variant="light" color={overview.mode === 'open' ? 'orange' : 'teal'}>
          {say.mode(overview.mode)}
        </Badge>
        <Badge tt="none" variant="light" color={overview.tls ? 'teal' : 'gray'}>
          {overview.tls ? say.tls.on : say.tls.off}
        </Badge>
        <Text size="sm">{say.modes[overview.mode]}</Text>
      </Group>
      {overview.auth_host !== null && <Alert>{say.authHost(overview.auth_host)}</Alert>}
      {faults.map((fault) => (
        <Alert key={fault} color="orange" role="alert">
          {fault}
        </Alert>
      ))}
    </Stack>
  );
}

/** In place of what a server without authentication has not. */
function Open() {
  const say = useSecurityTexts().open;
  return (
    <Alert icon={<IconLockOpen aria-hidden />} title={say.title} color="orange">
      <Stack gap="xs">
        <Text size="sm">{say.text}</Text>
        <Text size="sm">{say.how}</Text>
        <Group gap="xs">
          <Code>{COMMAND}</Code>
          <CopyButton value={COMMAND} />
        </Group>
        <Text size="sm">{say.then}</Text>
      </Stack>
    </Alert>
  );
}
