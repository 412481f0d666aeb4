import { useMemo } from 'react';
import { CodeEditor } from '@/components/CodeEditor';
import type { Problem } from './api';
import { useConfigurationTexts } from './texts';

interface Props {
  text: string;
  onText: (text: string) => void;
  problems: readonly Problem[];
  goTo: { line: number } | null;
}

export function YamlView({ text, onText, problems, goTo }: Props) {
  const say = useConfigurationTexts().yaml;
  const marks = useMemo(
    () => problems.flatMap(({ line, column, message, severity }) => (line === null ? [] : [{ line, column, message, severity }])),
    [problems],
  );
  return (
    <CodeEditor value={text} onChange={onText} language="yaml" label={say.label} description={say.description} marks={marks} goTo={goTo} minHeight="24rem" maxHeight="60vh" />
  );
}
