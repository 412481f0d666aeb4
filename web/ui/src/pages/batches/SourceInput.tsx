import { Button, Checkbox, FileButton, Group, Input, SegmentedControl, Select, Stack, Text, Textarea } from '@mantine/core';
import { IconFileUpload, IconX } from '@tabler/icons-react';
import { type DragEvent, useState } from 'react';
import { bytes } from '@/text/format';
import { MOST_BYTES } from './api';
import { FORMATS, formatOf } from './sources';
import { useBatchTexts } from './texts';
import type { Draft } from './useDraft';

interface Props {
  draft: Draft;
  columns: string[];
  column: string | null;
  onChange: (changes: Partial<Draft>) => void;
}

/** The text of the requests: pasted, dropped or chosen. */
export function SourceInput({ draft, columns, column, onChange }: Props) {
  const say = useBatchTexts().new;
  const [file, setFile] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isOver, setOver] = useState(false);

  const take = async (given: File | null | undefined) => {
    if (!given) return;
    setProblem(null);
    if (given.size > MOST_BYTES) {
      setProblem(say.tooLarge(bytes(given.size)));
      return;
    }
    try {
      const text = await given.text();
      setFile(say.dropped(given.name, bytes(given.size)));
      onChange({ text, format: formatOf(given.name, text), column: null, ...(draft.name === '' ? { name: given.name } : {}) });
    } catch {
      setProblem(say.unreadable);
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };

  return (
    <Stack gap="sm">
      <Input.Wrapper label={say.format} labelElement="div" description={say.helps[draft.format]} inputWrapperOrder={['label', 'input', 'description']}>
        <SegmentedControl
          aria-label={say.format}
          display="flex"
          maw={420}
          data={FORMATS.map((format) => ({ value: format, label: say.formats[format] }))}
          value={draft.format}
          onChange={(format) => onChange({ format, column: null })}
        />
      </Input.Wrapper>
      <Textarea
        label={isOver ? say.drop : say.text}
        value={draft.text}
        minRows={6}
        maxRows={16}
        autosize
        spellCheck={draft.format === 'text'}
        error={problem}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', ...(isOver ? { borderColor: 'var(--mantine-primary-color-filled)', borderStyle: 'dashed' } : {}) } }}
        onChange={(event) => {
          setFile(null);
          onChange({ text: event.currentTarget.value });
        }}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      />
      <Group gap="sm">
        <FileButton onChange={(given) => void take(given)} accept=".txt,.csv,.tsv,.json,.jsonl,.ndjson,text/plain,text/csv,application/json">
          {(props) => (
            <Button {...props} variant="default" size="xs" leftSection={<IconFileUpload size={16} aria-hidden />}>
              {say.file}
            </Button>
          )}
        </FileButton>
        {draft.text !== '' && (
          <Button variant="subtle" color="gray" size="xs" leftSection={<IconX size={16} aria-hidden />} onClick={() => onChange({ text: '' })}>
            {say.clear}
          </Button>
        )}
        {file !== null && <Text size="sm">{file}</Text>}
      </Group>
      {draft.format === 'csv' && (
        <Group align="flex-end">
          <Select label={say.column} data={[...new Set(columns)]} value={column} allowDeselect={false} disabled={columns.length === 0} onChange={(value) => onChange({ column: value })} />
          <Checkbox pb={8} label={say.hasHead} checked={draft.hasHead} onChange={(event) => onChange({ hasHead: event.currentTarget.checked, column: null })} />
        </Group>
      )}
    </Stack>
  );
}
