import { Group, Text } from '@mantine/core';
import { lazy, Suspense, useDeferredValue } from 'react';
import { CopyButton } from '@/components/CopyButton';
import { texts } from '@/text/texts';
import './highlight.css';
import classes from './Markdown.module.css';

const useWords = texts({
  en: { code: 'Code', copy: 'Copy the code' },
  de: { code: 'Code', copy: 'Den Code kopieren' },
});

interface Props {
  code: string;
  /** As it was written behind the fence; '' where nothing was. */
  language: string;
  /** Said in place of the language. */
  label?: string;
}

const Coloured = lazy(async () => {
  const { highlighted } = await import('./highlight');
  return {
    default: function Coloured({ code, language }: Props) {
      const html = highlighted(code, language.toLowerCase());
      return html === null ? <code>{code}</code> : <code dangerouslySetInnerHTML={{ __html: html }} />;
    },
  };
});

/** A block of code, coloured where its language is known, which scrolls in itself. */
export function CodeBlock({ code, language, label }: Props) {
  const say = useWords();
  // Colours may come a moment after the letters.
  const shown = useDeferredValue(code);
  const name = label ?? (language === '' ? say.code : `${say.code}: ${language}`);
  return (
    <div className={classes.code}>
      <Group className={classes.codeHead} justify="space-between" wrap="nowrap">
        <Text size="xs" ff={label === undefined ? 'monospace' : undefined} truncate>
          {label ?? (language === '' ? say.code.toLowerCase() : language)}
        </Text>
        <CopyButton value={code} name={label === undefined ? say.copy : `${say.copy}: ${label}`} />
      </Group>
      <pre tabIndex={0} role="region" aria-label={name}>
        <Suspense fallback={<code>{shown}</code>}>{language === '' ? <code>{shown}</code> : <Coloured code={shown} language={language} />}</Suspense>
      </pre>
    </div>
  );
}
