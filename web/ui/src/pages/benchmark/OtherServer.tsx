import { PasswordInput, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core';
import type { Form, Problems } from './form';
import { useBenchmarkTexts } from './texts';

interface Props {
  form: Form;
  problems: Problems;
  onChange: (changes: Partial<Form>) => void;
}

/** Another server instead of our own. */
export function OtherServer({ form, problems, onChange }: Props) {
  const say = useBenchmarkTexts().fields;
  return (
    <Stack gap="sm">
      <Switch
        label={say.elsewhere.name}
        description={say.elsewhere.text}
        checked={form.isElsewhere}
        onChange={(event) => onChange({ isElsewhere: event.currentTarget.checked })}
      />
      {form.isElsewhere && (
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          {(['baseUrl', 'otherModel'] as const).map((field) => (
            <TextInput
              key={field}
              label={say[field].name}
              description={say[field].text}
              value={form[field]}
              error={problems[field]}
              maxLength={2048}
              required
              onChange={(event) => onChange({ [field]: event.currentTarget.value })}
            />
          ))}
          <PasswordInput
            label={say.apiKey.name}
            description={say.apiKey.text}
            value={form.apiKey}
            error={problems.apiKey}
            autoComplete="off"
            maxLength={4096}
            onChange={(event) => onChange({ apiKey: event.currentTarget.value })}
          />
        </SimpleGrid>
      )}
    </Stack>
  );
}
