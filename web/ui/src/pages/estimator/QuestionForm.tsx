import { Input, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { useId } from 'react';
import { ModelSelect } from '@/components/ModelSelect';
import { Section } from '@/components/Section';
import classes from './EstimatorPage.module.css';
import type { Faults, Form } from './question';
import { useEstimatorTexts } from './texts';

interface Props {
  form: Form;
  onChange: (part: Partial<Form>) => void;
  faults: Faults;
  /** The field that the server refuses. */
  refused: { field: keyof Form; message: string } | null;
}

const CACHE_TYPES = ['f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0'];

/** Model, settings and machine. */
export function QuestionForm({ form, onChange, faults, refused }: Props) {
  const say = useEstimatorTexts();
  const errorOf = (key: keyof Form) => {
    const fault = faults[key];
    return fault !== undefined ? say.faults[fault] : refused?.field === key ? refused.message : undefined;
  };
  const words = (key: keyof Form, label: string, placeholder: string, description?: string) => (
    <TextInput label={label} description={description} placeholder={placeholder} inputMode={key === 'gpuLayers' ? 'text' : 'numeric'} value={form[key]} error={errorOf(key)} onChange={(event) => onChange({ [key]: event.currentTarget.value })} />
  );
  const choice = (key: 'cacheK' | 'cacheV' | 'flash', label: string, data: readonly string[]) => (
    <Select label={label} placeholder={say.fields.own} data={[...data]} clearable value={form[key] === '' ? null : form[key]} error={errorOf(key)} onChange={(value) => onChange({ [key]: value ?? '' })} />
  );
  return (
    <Section title={say.ask}>
      <Stack gap="sm">
        <Switcher label={say.from.label} value={form.from} data={{ here: say.from.here, hub: say.from.hub }} onChange={(from) => onChange({ from, model: '' })} />
        {form.from === 'here' ? (
          <ModelSelect value={form.model} onChange={(model) => onChange({ model: model ?? '' })} error={errorOf('model')} />
        ) : (
          <TextInput label={say.source} description={say.sourceHint} value={form.model} error={errorOf('model')} onChange={(event) => onChange({ model: event.currentTarget.value })} spellCheck={false} />
        )}
        <div className={classes.pair}>
          {words('context', say.fields.context, say.fields.own)}
          {words('slots', say.fields.slots, say.fields.own)}
        </div>
        <div className={classes.pair}>
          {choice('cacheK', say.fields.cacheK, CACHE_TYPES)}
          {choice('cacheV', say.fields.cacheV, CACHE_TYPES)}
        </div>
        {words('gpuLayers', say.fields.gpuLayers, say.fields.own, say.fields.gpuLayersHint)}
        {words('cpuMoe', say.fields.cpuMoe, say.fields.own)}
        {choice('flash', say.fields.flash, ['enabled', 'disabled', 'auto'])}
        <Switcher label={say.machine.label} value={form.machine} data={{ own: say.machine.own, other: say.machine.other }} onChange={(machine) => onChange({ machine })} />
        {form.machine === 'other' && (
          <>
            <TextInput label={say.machine.memory} value={form.memory} error={errorOf('memory')} onChange={(event) => onChange({ memory: event.currentTarget.value })} />
            <TextInput label={say.machine.gpus} description={say.machine.gpusHint} value={form.gpus} error={errorOf('gpus')} onChange={(event) => onChange({ gpus: event.currentTarget.value })} />
          </>
        )}
      </Stack>
    </Section>
  );
}

interface SwitcherProps<T extends string> {
  label: string;
  value: T;
  data: Record<T, string>;
  onChange: (value: T) => void;
}

function Switcher<T extends string>({ label, value, data, onChange }: SwitcherProps<T>) {
  const id = useId();
  const options = Object.entries<string>(data).map(([key, word]) => ({ value: key, label: word }));
  return (
    <Input.Wrapper label={label} labelElement="div" labelProps={{ id }}>
      <SegmentedControl fullWidth aria-labelledby={id} value={value} data={options} onChange={(next) => onChange(next as T)} />
    </Input.Wrapper>
  );
}
