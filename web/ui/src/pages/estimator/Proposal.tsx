import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { IconWand } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { CodeEditor } from '@/components/CodeEditor';
import { CopyButton } from '@/components/CopyButton';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Section } from '@/components/Section';
import { shown } from '@/pages/configuration/fields';
import { type Tuning, tune } from './api';
import type { Form, Question } from './question';
import { useEstimatorTexts } from './texts';

/** What the server would set for this model and machine, and why. */
export function Proposal({ question, onTry }: { question: Question; onTry: (part: Partial<Form>) => void }) {
  const say = useEstimatorTexts().tune;
  const [found, setFound] = useState<Tuning | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setFailure(null);
    try {
      setFound(await tune(question));
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  const button = (
    <Button size="xs" leftSection={<IconWand size={16} aria-hidden />} loading={isBusy} onClick={() => void run()}>
      {say.run}
    </Button>
  );
  return (
    <Section title={say.title} actions={button}>
      <Text size="sm" c="dimmed">
        {say.text}
      </Text>
      {failure !== null && <ErrorNotice error={failure} />}
      {found !== null && !found.fits && <Text mt="sm">{say.none}</Text>}
      {found?.fits === true && <Found found={found} onTry={onTry} />}
    </Section>
  );
}

function Found({ found, onTry }: { found: Tuning; onTry: (part: Partial<Form>) => void }) {
  const say = useEstimatorTexts().tune;
  const { settings } = found;
  const word = (key: string) => (settings[key] === undefined || settings[key] === null ? '' : shown(settings[key]));
  const tried: Partial<Form> = {
    context: word('context_window'),
    slots: word('n_seq_max'),
    cacheK: word('cache_type_k'),
    cacheV: word('cache_type_v'),
    ...('n_gpu_layers' in settings ? { gpuLayers: word('n_gpu_layers') === '0' ? 'all' : word('n_gpu_layers') } : {}),
    ...('n_cpu_moe' in settings ? { cpuMoe: word('n_cpu_moe') } : {}),
  };
  return (
    <Stack mt="sm" gap="sm">
      <Table.ScrollContainer minWidth={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{say.columns.key}</Table.Th>
              <Table.Th>{say.columns.value}</Table.Th>
              <Table.Th>{say.columns.why}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.choices.map((choice) => (
              <Table.Tr key={choice.key}>
                <Table.Td ff="monospace">{choice.key}</Table.Td>
                <Table.Td fw={600}>{shown(choice.value)}</Table.Td>
                <Table.Td>{choice.why}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <CodeEditor value={found.yaml} language="yaml" label={say.yaml} minHeight="4rem" />
      <Group gap="xs">
        <CopyButton value={found.yaml} label={say.copy} />
        <Button size="xs" variant="default" onClick={() => onTry(tried)}>
          {say.tryIt}
        </Button>
        <Button size="xs" variant="default" component={Link} to={`/configuration?model=${encodeURIComponent(found.configured_as)}`}>
          {say.configure}
        </Button>
      </Group>
    </Stack>
  );
}
