import { Group, Radio, SimpleGrid, Text } from '@mantine/core';
import type { Presets } from './api';
import { CUSTOM } from './form';
import classes from './PresetChoice.module.css';
import { useBenchmarkTexts } from './texts';

interface Props {
  presets: Presets;
  value: string;
  onChange: (name: string) => void;
}

export function PresetChoice({ presets, value, onChange }: Props) {
  const say = useBenchmarkTexts();
  const names = [...presets.data.map(({ name }) => name), CUSTOM];
  const words: Record<string, { name: string; text: string }> = say.presets;
  return (
    <Radio.Group label={say.what} value={value} onChange={onChange}>
      <SimpleGrid cols={{ base: 1, xs: 2, lg: 5 }} spacing="sm" mt={4}>
        {names.map((name) => (
          <Radio.Card key={name} value={name} className={classes.card ?? ''} p="sm">
            <Group wrap="nowrap" align="flex-start" gap="sm">
              <Radio.Indicator mt={2} />
              <div>
                <Text size="sm" fw={600}>
                  {words[name]?.name ?? name}
                </Text>
                <Text size="xs" c="dimmed">
                  {words[name]?.text}
                </Text>
              </div>
            </Group>
          </Radio.Card>
        ))}
      </SimpleGrid>
    </Radio.Group>
  );
}
