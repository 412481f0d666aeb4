import { Accordion, Badge, Group, Text } from '@mantine/core';
import { useMemo } from 'react';
import type { ConfiguredModel, Problem } from './api';
import { FieldRow } from './FieldRow';
import { type Field, sameKey } from './fields';
import { useConfigurationTexts } from './texts';

interface Props {
  model: ConfiguredModel;
  fields: readonly Field[];
  /** What is searched for in names and help. */
  wanted: string;
  isOnlySet: boolean;
  problems: readonly Problem[];
  onChange: (key: string, value: unknown) => Promise<void>;
  onReveal: (line: number) => void;
}

/** The settings by chapter, as the manual has them. */
export function Groups({ model, fields, wanted, isOnlySet, problems, onChange, onReveal }: Props) {
  const say = useConfigurationTexts().form;
  const faults = useMemo(() => faultsOf(model.id, fields, problems), [model.id, fields, problems]);
  const isNarrow = wanted.trim() !== '' || isOnlySet;
  const seen = fields.filter(
    (field) => matches(field, wanted) && (!isOnlySet || field.key in model.written || faults.has(field.key)),
  );
  const groups = [...new Set(seen.map((field) => field.group))];
  if (groups.length === 0) return <Text c="dimmed">{say.nothing}</Text>;
  return (
    <Accordion
      multiple
      variant="separated"
      order={2}
      {...(isNarrow ? { value: groups.map(slug), onChange: () => undefined } : { defaultValue: groups.slice(0, 1).map(slug) })}
      key={String(isNarrow)}
    >
      {groups.map((group) => {
        const own = seen.filter((field) => field.group === group);
        const set = own.filter((field) => field.key in model.written).length;
        const wrong = own.filter((field) => faults.get(field.key)?.severity === 'error').length;
        return (
          <Accordion.Item key={group} value={slug(group)}>
            <Accordion.Control>
              <Group gap="xs">
                <Text fw={600} size="sm">
                  {group}
                </Text>
                {set > 0 && (
                  <Badge size="sm" variant="light" tt="none">
                    {say.set(set)}
                  </Badge>
                )}
                {wrong > 0 && (
                  <Badge size="sm" color="red" circle>
                    {wrong}
                  </Badge>
                )}
              </Group>
            </Accordion.Control>
            <Accordion.Panel>
              {own.map((field) => (
                <FieldRow key={field.key} field={field} model={model} problem={faults.get(field.key)} onChange={onChange} onReveal={onReveal} />
              ))}
            </Accordion.Panel>
          </Accordion.Item>
        );
      })}
    </Accordion>
  );
}

/** Ids of HTML are made of it, which have no spaces. */
function slug(group: string): string {
  return group.replaceAll(/\W+/g, '-');
}

function matches(field: Field, wanted: string): boolean {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${field.key} ${field.key.replaceAll('_', ' ')} ${field.help}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function faultsOf(model: string, fields: readonly Field[], problems: readonly Problem[]): Map<string, Problem> {
  const found = new Map<string, Problem>();
  for (const problem of problems) {
    const field = fields.find(({ key }) => sameKey(problem.where, model, key));
    if (field !== undefined && !found.has(field.key)) found.set(field.key, problem);
  }
  return found;
}
