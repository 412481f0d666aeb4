import { ActionIcon, NumberInput, Switch, Text, TextInput, Tooltip } from '@mantine/core';
import { useId } from '@mantine/hooks';
import { IconInfoCircle, IconRotate } from '@tabler/icons-react';
import { useState } from 'react';
import { biasText, breakersText, parseBias, parseBreakers, type Sampler, type SamplerName, SAMPLERS, type SamplerValue } from './sampling';
import classes from './SamplingPanel.module.css';
import { useSamplingTexts } from './samplingTexts';

interface Props {
  name: SamplerName;
  /** undefined where it is not set. */
  value: SamplerValue | undefined;
  /** What holds then: of the preset or the model; null where there is nothing. */
  usual: SamplerValue | null;
  onChange: (value: SamplerValue | null) => void;
}

/** One sampler with its explanation and a way back to what is usual. */
export function SamplerRow({ name, value, usual, onChange }: Props) {
  const say = useSamplingTexts();
  const id = useId();
  const sampler: Sampler = SAMPLERS[name];
  const isWide = sampler.kind === 'strings' || sampler.kind === 'bias';
  const isSet = value !== undefined;
  const field = { id, name, sampler, value, usual, onChange };
  const reset = (
    <ActionIcon size="sm" variant="subtle" color="gray" aria-label={say.reset(say.names[name])} onClick={() => onChange(null)} style={{ visibility: isSet ? 'visible' : 'hidden' }}>
      <IconRotate size={14} aria-hidden />
    </ActionIcon>
  );
  return (
    <div>
      <div className={`${classes.row} ${isWide ? classes.wide : ''}`}>
        <div className={classes.name}>
          <Text component="label" htmlFor={id} size="sm" fw={isSet ? 600 : 400} truncate>
            {say.names[name]}
          </Text>
          <Explanation name={name} sampler={sampler} usual={usual} />
        </div>
        {!isWide && <Field {...field} />}
        {reset}
      </div>
      {isWide && <Field {...field} />}
    </div>
  );
}

function Explanation({ name, sampler, usual }: { name: SamplerName; sampler: Sampler; usual: SamplerValue | null }) {
  const say = useSamplingTexts();
  const hasRange = (sampler.kind === 'float' || sampler.kind === 'int') && Math.abs(sampler.most) <= 1_000_000;
  const lines = [
    say.help[name],
    ...(hasRange ? [say.range(String(sampler.least), String(sampler.most))] : []),
    ...(usual === null || sampler.kind === 'bool' ? [] : [say.usual(written(usual))]),
  ];
  return (
    <Tooltip label={lines.join(' ')}>
      <ActionIcon size="xs" variant="transparent" color="gray" aria-label={say.explain(say.names[name])}>
        <IconInfoCircle size={14} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

type FieldProps = Props & { id: string; sampler: Sampler };

function Field({ id, sampler, value, usual, onChange, name }: FieldProps) {
  const say = useSamplingTexts();
  switch (sampler.kind) {
    case 'bool':
      return <Switch id={id} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked ? true : null)} aria-label={say.names[name]} />;
    case 'strings':
      return (
        <TextField key={String(value === undefined)} id={id} start={Array.isArray(value) ? breakersText(value) : ''} placeholder={written(usual)} read={(text) => parseBreakers(text)} isEmpty={(read) => (read as string[]).length === 0} onChange={onChange} />
      );
    case 'bias':
      return (
        <TextField key={String(value === undefined)} id={id} start={value === undefined ? '' : biasText(value as Record<string, number>)} placeholder="1234: -5" read={parseBias} isEmpty={(read) => Object.keys(read).length === 0} onChange={onChange} fault={say.badBias} />
      );
    default:
      return (
        <NumberInput
          id={id}
          size="xs"
          value={typeof value === 'number' ? value : ''}
          placeholder={usual === null ? say.none : written(usual)}
          min={sampler.least}
          max={sampler.most}
          step={sampler.step}
          allowDecimal={sampler.kind === 'float'}
          decimalScale={sampler.kind === 'float' ? 4 : 0}
          startValue={typeof usual === 'number' ? usual : 0}
          clampBehavior="blur"
          onChange={(typed) => onChange(typeof typed === 'number' ? typed : null)}
        />
      );
  }
}

interface TextFieldProps {
  id: string;
  start: string;
  placeholder: string;
  /** null where it cannot be read. */
  read: (text: string) => string[] | Record<string, number> | null;
  isEmpty: (read: string[] | Record<string, number>) => boolean;
  onChange: (value: SamplerValue | null) => void;
  fault?: string;
}

function TextField({ id, start, placeholder, read, isEmpty, onChange, fault }: TextFieldProps) {
  const [text, setText] = useState(start);
  const found = read(text);
  const change = (typed: string) => {
    setText(typed);
    const next = read(typed);
    if (next !== null) onChange(isEmpty(next) ? null : next);
  };
  return <TextInput id={id} size="xs" mt={4} value={text} placeholder={placeholder} onChange={(event) => change(event.currentTarget.value)} error={found === null ? fault : undefined} />;
}

function written(value: SamplerValue | null): string {
  if (value === null) return '';
  if (Array.isArray(value)) return breakersText(value);
  return typeof value === 'object' ? biasText(value) : String(value);
}
