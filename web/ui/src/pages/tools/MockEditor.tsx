import { ActionIcon, Autocomplete, Button, Group, Paper, Stack, Text, Textarea, TextInput, Tooltip } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { Faults } from './faults';
import { type Mock, newKey } from './schema';
import { useToolsTexts } from './texts';

interface Props {
  mock: Mock;
  /** The names of the function's parameters. */
  parameters: readonly string[];
  fault: string | null;
  faults: Faults;
  onChange: (mock: Mock) => void;
}

const MONOSPACE = { input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.85em' } } as const;

/** What the function answers: always the same, or by an argument. */
export function MockEditor({ mock, parameters, fault, faults, onChange }: Props) {
  const all = useToolsTexts();
  const say = all.mock;
  const setRules = (rules: Mock['rules']) => onChange({ ...mock, rules });
  const faultOf = (key: string, field: string) => {
    const found = faults[`${key}.${field}`];
    return found === undefined ? null : all.faults[found];
  };
  return (
    <Stack gap="sm">
      <Textarea
        label={say.answer}
        description={say.answerHint}
        autosize
        minRows={2}
        maxRows={12}
        styles={MONOSPACE}
        value={mock.answer}
        error={fault}
        onChange={(event) => onChange({ ...mock, answer: event.currentTarget.value })}
      />
      {mock.rules.length > 0 && (
        <Text size="sm" fw={500}>
          {say.rules}
        </Text>
      )}
      {mock.rules.map((rule) => {
        const change = (next: Partial<typeof rule>) => setRules(mock.rules.map((old) => (old.key === rule.key ? { ...old, ...next } : old)));
        return (
          <Paper key={rule.key} p="xs">
            <Group gap="xs" align="flex-start" wrap="nowrap">
              <Autocomplete
                size="sm"
                label={say.when}
                data={[...new Set(parameters.filter((name) => name !== ''))]}
                value={rule.argument}
                error={faultOf(rule.key, 'argument')}
                style={{ flex: 1, minWidth: 0 }}
                onChange={(argument) => change({ argument })}
              />
              <TextInput size="sm" label={say.is} value={rule.value} style={{ flex: 1, minWidth: 0 }} onChange={(event) => change({ value: event.currentTarget.value })} />
              <Tooltip label={say.remove}>
                <ActionIcon mt={25} size={34} variant="subtle" color="gray" aria-label={say.remove} onClick={() => setRules(mock.rules.filter((old) => old.key !== rule.key))}>
                  <IconTrash size={16} aria-hidden />
                </ActionIcon>
              </Tooltip>
            </Group>
            <Textarea size="sm" mt="xs" label={say.then} autosize minRows={1} maxRows={8} styles={MONOSPACE} value={rule.answer} error={faultOf(rule.key, 'answer')} onChange={(event) => change({ answer: event.currentTarget.value })} />
          </Paper>
        );
      })}
      <Group>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => setRules([...mock.rules, { key: newKey(), argument: parameters[0] ?? '', value: '', answer: '{}' }])}
        >
          {say.add}
        </Button>
      </Group>
    </Stack>
  );
}
