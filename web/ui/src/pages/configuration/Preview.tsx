import { Code, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { CodeEditor } from '@/components/CodeEditor';
import { CopyButton } from '@/components/CopyButton';
import { Loading } from '@/components/Loading';
import { Section } from '@/components/Section';
import type { Change, Check, ConfigFile } from './api';
import { type DiffLine, diffOf, folded } from './diff';
import classes from './Preview.module.css';
import { shown } from './fields';
import { useConfigurationTexts } from './texts';

interface Props {
  file: ConfigFile;
  text: string;
  check: Check | undefined;
}

/** What saving would do: to the file, to the models, and to what a worker is told. */
export function Preview({ file, text, check }: Props) {
  const say = useConfigurationTexts().preview;
  const [search] = useSearchParams();
  const model = search.get('model');
  const lines = useMemo(() => folded(diffOf(file.text ?? '', text)), [file.text, text]);
  if (check === undefined) return <Loading rows={6} />;
  return (
    <Stack>
      <Section title={say.diff}>{lines.some((line) => line !== null) ? <Diff lines={lines} /> : <Text c="dimmed">{say.same}</Text>}</Section>
      <Section title={say.effects}>
        {check.changes.length === 0 ? <Text c="dimmed">{say.noEffects}</Text> : <Changes changes={check.changes} />}
        <Text size="sm" mt="sm">
          {check.reloaded.length === 0 ? say.untouched : say.reloaded(check.reloaded.join(', '))}
        </Text>
      </Section>
      {check.load !== null && (
        <Section title={say.worker}>
          <Text size="sm" c="dimmed" mb="xs">
            {say.workerText}
          </Text>
          {check.load.spec === null ? (
            <Text size="sm">{check.load.problem}</Text>
          ) : (
            <CodeEditor value={JSON.stringify(check.load.spec, null, 2)} language="json" label={say.workerLabel(check.load.model)} maxHeight="22rem" />
          )}
        </Section>
      )}
      <Section title={say.commands}>
        <Commands lines={commandsFor(file.path, model)} />
      </Section>
    </Stack>
  );
}

function commandsFor(path: string, model: string | null): string[] {
  const quoted = (word: string) => (/^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return [
    `kronk config check ${quoted(path)}`,
    'kronk server reload',
    ...(model === null ? [] : [`kronk config show ${quoted(model)}`, `kronk model vram ${quoted(model)}`]),
    `kronk server start --model-config-file=${quoted(path)}`,
  ];
}

function Commands({ lines }: { lines: readonly string[] }) {
  return (
    <Stack gap={6}>
      {lines.map((line) => (
        <div key={line} className={classes.command}>
          <Code className={classes.words}>{line}</Code>
          <CopyButton value={line} />
        </div>
      ))}
    </Stack>
  );
}

const SIGNS = { same: ' ', gone: '−', new: '+' } as const;

function Diff({ lines }: { lines: readonly (DiffLine | null)[] }) {
  const say = useConfigurationTexts().preview;
  const words = { same: '', gone: `${say.gone}: `, new: `${say.added}: ` };
  return (
    <pre className={classes.diff}>
      {lines.map((line, at) =>
        line === null ? (
          <div key={at} className={classes.omitted}>
            ⋯ {say.omitted}
          </div>
        ) : (
          <div key={at} className={classes[line.kind]}>
            <span className={classes.number} aria-hidden>
              {line.line}
            </span>
            <span aria-hidden>{SIGNS[line.kind]} </span>
            <VisuallyHidden>{words[line.kind]}</VisuallyHidden>
            {line.text}
          </div>
        ),
      )}
    </pre>
  );
}

function Changes({ changes }: { changes: readonly Change[] }) {
  const say = useConfigurationTexts().preview.columns;
  return (
    <Table.ScrollContainer minWidth={480}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            {[say.model, say.key, say.before, say.after].map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {changes.map((change) => (
              <Table.Tr key={`${change.model} ${change.key}`}>
                <Table.Td className="breakable">{change.model}</Table.Td>
                <Table.Td ff="monospace" className="breakable">
                  {change.key}
                </Table.Td>
                <Table.Td className="breakable">{shown(change.before)}</Table.Td>
                <Table.Td className="breakable" fw={600}>
                  {shown(change.after)}
                </Table.Td>
              </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
