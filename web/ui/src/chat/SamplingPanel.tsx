import { Accordion, Badge, Button, Group, Select, Stack } from '@mantine/core';
import { usePresets } from './presets';
import { GROUPS, type Sampling, samplersOf, SAMPLERS, withSampler, type SamplerName, type SamplerValue } from './sampling';
import { SamplerRow } from './SamplerRow';
import { useSamplingTexts } from './samplingTexts';

// No preset has this name.
const OWN = '-';

interface Props {
  /** null leaves it to the model's configuration. */
  preset: string | null;
  /** What is set by hand. */
  sampling: Sampling;
  onChange: (next: { preset: string | null; sampling: Sampling }) => void;
  /** What the model's own configuration says, where it is known. */
  own?: Sampling;
}

/** How answers are sampled: a preset, and every sampler with its explanation. */
export function SamplingPanel({ preset, sampling, onChange, own = {} }: Props) {
  const say = useSamplingTexts();
  const presets = usePresets();
  const chosen = presets.find(({ id }) => id === preset);
  const usual = (name: SamplerName): SamplerValue | null => chosen?.parameters[name] ?? own[name] ?? SAMPLERS[name].usual;
  const set = (name: SamplerName, value: SamplerValue | null) => onChange({ preset, sampling: withSampler(sampling, name, value) });
  const rows = (names: readonly SamplerName[]) => names.map((name) => <SamplerRow key={name} name={name} value={sampling[name]} usual={usual(name)} onChange={(value) => set(name, value)} />);
  const names: Record<string, string> = say.presets;
  return (
    <Stack gap="sm">
      <Select
        size="sm"
        label={say.preset}
        description={chosen?.meaning.replaceAll('`', '') ?? say.presetHelp}
        data={[{ value: OWN, label: say.own }, ...presets.map(({ id }) => ({ value: id, label: names[id] ?? id }))]}
        value={preset ?? OWN}
        onChange={(value) => onChange({ preset: value === OWN ? null : value, sampling })}
        allowDeselect={false}
        comboboxProps={{ withinPortal: true }}
      />
      {rows(samplersOf('usual'))}
      <Accordion variant="separated" multiple chevronPosition="left">
        {GROUPS.slice(1).map((group) => {
          const members = samplersOf(group);
          const count = members.filter((name) => name in sampling).length;
          return (
            <Accordion.Item key={group} value={group}>
              <Accordion.Control>
                <Group gap="xs" wrap="nowrap" fz="sm">
                  {say.groups[group]}
                  {count > 0 && (
                    <Badge size="sm" circle>
                      {count}
                    </Badge>
                  )}
                </Group>
              </Accordion.Control>
              <Accordion.Panel>
                <Stack gap="xs">{rows(members)}</Stack>
              </Accordion.Panel>
            </Accordion.Item>
          );
        })}
      </Accordion>
      {Object.keys(sampling).length > 0 && (
        <Button size="xs" variant="default" onClick={() => onChange({ preset, sampling: {} })}>
          {say.resetAll}
        </Button>
      )}
    </Stack>
  );
}
