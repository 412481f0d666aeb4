import { Button, Group, Popover, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import type { ConfiguredModel } from './api';
import { useConfigurationTexts } from './texts';

interface Props {
  models: readonly ConfiguredModel[];
  chosen: string | null;
  onMade: (model: string) => void;
}

/** Names a variant of the chosen model; the text has it with its first setting. */
export function VariantMaker({ models, chosen, onMade }: Props) {
  const say = useConfigurationTexts().form;
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState('');
  const base = baseOf(chosen, models);
  const isGood = /^[\w.-]{1,60}$/.test(name);
  const make = (event: FormEvent) => {
    event.preventDefault();
    if (!isGood || base === null) return;
    onMade(`${base}/${name}`);
    setOpen(false);
    setName('');
  };
  return (
    <Popover opened={isOpen} onChange={setOpen} width={300} trapFocus withArrow>
      <Popover.Target>
        <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} disabled={base === null} onClick={() => setOpen((was) => !was)}>
          {say.variant}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form onSubmit={make}>
          <Stack gap="xs">
            <Text size="sm">{say.variantText}</Text>
            <TextInput
              label={say.variantName}
              data-autofocus
              leftSection={<span aria-hidden>/</span>}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={name !== '' && !isGood ? say.variantFault : undefined}
            />
            <Group justify="flex-end">
              <Button type="submit" size="xs" disabled={!isGood}>
                {say.add}
              </Button>
            </Group>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

/** The model whose variant it would be: that of a variant is its own model. */
function baseOf(chosen: string | null, models: readonly ConfiguredModel[]): string | null {
  if (chosen === null) return null;
  const bases = models.filter((row) => row.on_disk && chosen.startsWith(`${row.id}/`)).map((row) => row.id);
  return bases.sort((one, other) => one.length - other.length)[0] ?? chosen;
}
