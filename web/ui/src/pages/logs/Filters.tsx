import { Box, Button, Select, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import classes from './Filters.module.css';
import { useLogsTexts } from './texts';

const LEVELS = ['debug', 'info', 'warning', 'error'] as const;
const PROCESSES = ['supervisor', 'gateway', 'worker', 'job'] as const;
/** Milliseconds after the last key until a filter counts. */
const CALM = 400;

interface Props {
  parameters: URLSearchParams;
  onChange: (name: string, value: string) => void;
  onClear: () => void;
}

export function Filters({ parameters, onChange, onClear }: Props) {
  const say = useLogsTexts();
  const has = ['level', 'process', 'model', 'request', 'since', 'search'].some((name) => parameters.has(name));
  return (
    <Box className={classes.filters}>
      <Select
        label={say.level}
        data={LEVELS.map((value) => ({ value, label: say.levels[value] }))}
        value={parameters.get('level') ?? 'debug'}
        allowDeselect={false}
        onChange={(value) => onChange('level', value === 'debug' ? '' : (value ?? ''))}
      />
      <Select
        label={say.process}
        data={[{ value: '', label: say.everyProcess }, ...PROCESSES]}
        value={parameters.get('process') ?? ''}
        allowDeselect={false}
        onChange={(value) => onChange('process', value ?? '')}
      />
      <Typed name="model" label={say.model} parameters={parameters} onChange={onChange} />
      <Typed name="request" label={say.request} hint={say.requestHint} parameters={parameters} onChange={onChange} />
      <Typed name="since" label={say.since} hint={say.sinceHint} parameters={parameters} onChange={onChange} />
      <Typed name="search" label={say.search} parameters={parameters} onChange={onChange} />
      {has && (
        <Button variant="subtle" onClick={onClear}>
          {say.clear}
        </Button>
      )}
    </Box>
  );
}

interface TypedProps {
  name: string;
  label: string;
  hint?: string;
  parameters: URLSearchParams;
  onChange: (name: string, value: string) => void;
}

/** A filter that is typed: it counts once one has stopped typing. */
function Typed({ name, label, hint, parameters, onChange }: TypedProps) {
  const given = parameters.get(name) ?? '';
  const [text, setText] = useState(given);
  const [seen, setSeen] = useState(given);
  // It was changed elsewhere: by a link, or by clearing all.
  if (given !== seen) {
    setSeen(given);
    setText(given);
  }
  useEffect(() => {
    if (text === given) return undefined;
    const timer = setTimeout(() => onChange(name, text.trim()), CALM);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `onChange` is new at each render
  }, [text, given, name]);
  return <TextInput label={label} placeholder={hint} value={text} onChange={(event) => setText(event.currentTarget.value)} />;
}
