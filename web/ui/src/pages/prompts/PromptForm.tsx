import { Group, Input, Paper, SegmentedControl, Select, SimpleGrid, Stack, Switch, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import type { ApiError } from '@/api/errors';
import { type PromptFields, useCategories } from '@/api/prompts';
import { Dot } from './CategoryMark';
import { PromptPreview } from './PromptPreview';
import { variablesOf } from './template';
import { usePromptsTexts } from './texts';

interface Props {
  fields: PromptFields;
  /** Whether one has tried to save: what is missing is told then. */
  isTried: boolean;
  /** What the server says of one of the fields. */
  problem: ApiError | null;
  onChange: (fields: PromptFields) => void;
}

/** The fields of a prompt, and what becomes of its text. */
export function PromptForm({ fields, isTried, problem, onChange }: Props) {
  const say = usePromptsTexts().editor;
  const categories = useCategories().data ?? [];
  const set = (change: Partial<PromptFields>) => onChange({ ...fields, ...change });
  const problemAt = (name: keyof PromptFields) => (problem?.param === name ? problem.message : null);
  const missing = (text: string, words: string) => (isTried && text.trim() === '' ? words : null);
  const names = [...new Set([...categories.map(({ name }) => name), fields.category])].filter((name) => name !== '');
  const color = categories.find(({ name }) => name === fields.category)?.color;
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
      <Stack gap="sm">
        <TextInput label={say.name} value={fields.name} onChange={(event) => set({ name: event.currentTarget.value })} maxLength={120} error={missing(fields.name, say.nameMissing) ?? problemAt('name')} required />
        <Textarea
          label={say.text}
          description={say.textHelp}
          value={fields.text}
          onChange={(event) => set({ text: event.currentTarget.value })}
          autosize
          minRows={8}
          maxRows={24}
          error={missing(fields.text, say.textMissing) ?? problemAt('text')}
          required
        />
        <TextInput label={say.description} value={fields.description} onChange={(event) => set({ description: event.currentTarget.value })} maxLength={2000} error={problemAt('description')} />
        <Group gap="md" align="flex-end">
          <Select
            label={say.category}
            placeholder={say.noCategory}
            data={names}
            value={fields.category === '' ? null : fields.category}
            onChange={(category) => set({ category: category ?? '' })}
            leftSection={color && <Dot color={color} />}
            clearable
            error={problemAt('category')}
            style={{ flex: '1 1 10rem' }}
          />
          <Input.Wrapper label={say.kind} labelElement="div">
            <div>
              <SegmentedControl
                aria-label={say.kind}
                value={fields.kind}
                onChange={(kind) => set({ kind: kind })}
                data={(['user', 'system'] as const).map((value) => ({ value, label: say.kinds[value] }))}
              />
            </div>
          </Input.Wrapper>
          <Switch label={say.favourite} checked={fields.favourite} onChange={(event) => set({ favourite: event.currentTarget.checked })} mb={8} />
        </Group>
      </Stack>
      <Trial text={fields.text} />
    </SimpleGrid>
  );
}

/** The variables as they are found while one types, with values to try. */
function Trial({ text }: { text: string }) {
  const say = usePromptsTexts().editor;
  const [values, setValues] = useState<Record<string, string>>({});
  const names = variablesOf(text);
  return (
    <Paper p="md" component="section" aria-label={say.example}>
      <Stack gap="sm">
        <Title order={2} size="h5">
          {say.example}
        </Title>
        {names.length === 0 && <Text size="sm">{say.noVariables}</Text>}
        {names.map((name) => (
          <TextInput key={name} label={name} value={values[name] ?? ''} onChange={(event) => setValues({ ...values, [name]: event.currentTarget.value })} />
        ))}
        {text !== '' && <PromptPreview text={text} values={values} label={say.preview} />}
      </Stack>
    </Paper>
  );
}
