import { Button, Checkbox, Collapse, Group, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ApiError } from '@/api/errors';
import { beginJob, JOBS_KEY } from '@/api/jobs';
import { ErrorNotice } from '@/components/ErrorNotice';
import { tellDone } from '@/components/notices';
import { Section } from '@/components/Section';
import { type Libraries, PROCESSORS } from './api';
import { useLibrariesTexts } from './texts';

const FIELDS = ['processor', 'version', 'arch', 'os'];

/** Begins an installation, which is a job of the server's. */
export function Installer({ libraries }: { libraries: Libraries }) {
  const say = useLibrariesTexts().install;
  const queries = useQueryClient();
  const [form, setForm] = useState({ processor: '', version: '', arch: '', os: '' });
  const [isReplacing, setReplacing] = useState(false);
  const [isElsewhere, setElsewhere] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const param = failure instanceof ApiError ? (failure.param?.replace(/^params\./, '').replace('lib_version', 'version') ?? null) : null;
  const errorOf = (field: string) => (param === field && failure instanceof ApiError ? failure.message : undefined);
  const put = (field: keyof typeof form) => (value: string | null) => setForm((old) => ({ ...old, [field]: value ?? '' }));
  const run = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    const there = isElsewhere ? form : { processor: form.processor, version: form.version };
    const given = Object.fromEntries(Object.entries(there).map(([key, value]) => [key, value.trim()] as const).filter(([, value]) => value !== ''));
    try {
      const job = await beginJob('libs', { ...given, ...(isReplacing ? { replace: true } : {}) });
      if (job.joined) tellDone(say.joined);
      await queries.invalidateQueries({ queryKey: JOBS_KEY });
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  return (
    <Section title={say.title}>
      <form onSubmit={(event) => void run(event)}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {say.text}
          </Text>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select label={say.processor} placeholder={say.best} data={[...PROCESSORS]} clearable value={form.processor || null} onChange={put('processor')} error={errorOf('processor')} />
            <TextInput
              label={say.version}
              placeholder={libraries.matching_version}
              value={form.version}
              onChange={(event) => put('version')(event.currentTarget.value)}
              error={errorOf('version')}
              description={say.versionHint(libraries.matching_version)}
              inputWrapperOrder={['label', 'input', 'description', 'error']}
            />
          </SimpleGrid>
          <Checkbox label={say.replace} checked={isReplacing} onChange={(event) => setReplacing(event.currentTarget.checked)} />
          <Checkbox label={say.advanced} checked={isElsewhere} onChange={(event) => setElsewhere(event.currentTarget.checked)} />
          <Collapse expanded={isElsewhere}>
            <Text size="sm" c="dimmed" mb="xs">
              {say.advancedText}
            </Text>
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              <Select label={say.arch} placeholder={say.own} data={['amd64', 'arm64']} clearable value={form.arch || null} onChange={put('arch')} error={errorOf('arch')} />
              <Select label={say.os} placeholder={say.own} data={['linux', 'darwin', 'windows']} clearable value={form.os || null} onChange={put('os')} error={errorOf('os')} />
            </SimpleGrid>
          </Collapse>
          {failure !== null && !(param !== null && FIELDS.includes(param)) && <ErrorNotice error={failure} />}
          <Group>
            <Button type="submit" loading={isBusy} leftSection={<IconDownload size={16} aria-hidden />}>
              {say.run}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
