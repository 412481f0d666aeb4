import { NumberInput, SimpleGrid, TextInput } from '@mantine/core';
import type { Form, Problems } from './form';
import { useBenchmarkTexts } from './texts';

interface Props {
  form: Form;
  problems: Problems;
  onChange: (changes: Partial<Form>) => void;
}

const LISTS = ['promptSizes', 'concurrency'] as const;
const COUNTS = ['maxTokens', 'repetitions', 'warmUp', 'sharedPrefix'] as const;

/** A plan of one's own. */
export function PlanFields({ form, problems, onChange }: Props) {
  const say = useBenchmarkTexts().fields;
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
      {LISTS.map((field) => (
        <TextInput
          key={field}
          label={say[field].name}
          description={say[field].text}
          value={form[field]}
          error={problems[field]}
          maxLength={200}
          onChange={(event) => onChange({ [field]: event.currentTarget.value })}
        />
      ))}
      {COUNTS.map((field) => (
        <NumberInput
          key={field}
          label={say[field].name}
          description={say[field].text}
          value={form[field]}
          error={problems[field]}
          allowDecimal={false}
          allowNegative={false}
          onChange={(value) => onChange({ [field]: value })}
        />
      ))}
    </SimpleGrid>
  );
}
