import { Badge, Group, Loader, Text } from '@mantine/core';
import { IconTool } from '@tabler/icons-react';
import { texts } from '@/text/texts';
import { CodeBlock } from './CodeBlock';
import classes from './Message.module.css';
import { prettyJson } from './partialJson';

const useWords = texts({
  en: { arguments: 'Arguments', none: 'No arguments', result: 'Result', writing: 'The model is writing the call', calls: 'Tool calls' },
  de: { arguments: 'Argumente', none: 'Keine Argumente', result: 'Ergebnis', writing: 'Das Modell schreibt den Aufruf', calls: 'Werkzeugaufrufe' },
});

export interface ToolCallShown {
  id: string;
  function: { name: string; arguments: string };
}

interface Props {
  calls: readonly ToolCallShown[];
  /** What was answered to each call, by its id. */
  results?: Readonly<Record<string, string>>;
  /** Whether the last of them is still being written. */
  isGrowing?: boolean;
}

/** The functions that the model wants called, with what it gives them and what it got. */
export function ToolCalls({ calls, results = {}, isGrowing = false }: Props) {
  const say = useWords();
  return (
    <ul className={classes.calls} aria-label={say.calls}>
      {calls.map((call, index) => (
        <li key={call.id === '' ? index : call.id} className={classes.call}>
          <Call call={call} result={results[call.id]} isGrowing={isGrowing && index === calls.length - 1} />
        </li>
      ))}
    </ul>
  );
}

function Call({ call, result, isGrowing }: { call: ToolCallShown; result: string | undefined; isGrowing: boolean }) {
  const say = useWords();
  const given = call.function.arguments.trim();
  return (
    <>
      <Group gap="xs">
        <IconTool size={16} aria-hidden />
        <Text ff="monospace" fw={600} size="sm" className="breakable">
          {call.function.name}
        </Text>
        {isGrowing && <Loader size="xs" aria-label={say.writing} />}
        {call.id !== '' && (
          <Badge variant="default" size="sm" tt="none" fw={400} ff="monospace">
            {call.id}
          </Badge>
        )}
      </Group>
      {given === '' || given === '{}' ? (
        <Text size="xs" mt={6}>
          {say.none}
        </Text>
      ) : (
        <CodeBlock code={prettyJson(given)} language="json" label={say.arguments} />
      )}
      {result !== undefined && <CodeBlock code={prettyResult(result)} language={isJson(result) ? 'json' : ''} label={say.result} />}
    </>
  );
}

function isJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}

function prettyResult(text: string): string {
  return isJson(text) ? prettyJson(text) : text;
}
