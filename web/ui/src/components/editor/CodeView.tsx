import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { lintGutter, setDiagnostics } from '@codemirror/lint';
import { useComputedColorScheme } from '@mantine/core';
import CodeMirror, { EditorView, type Extension } from '@uiw/react-codemirror';
import { useEffect, useMemo, useState } from 'react';
import type { CodeLanguage, CodeMark } from '../CodeEditor';
import { colours } from './colours';
import { diagnosticsOf } from './diagnostics';

interface Props {
  value: string;
  onChange: ((value: string) => void) | undefined;
  language: CodeLanguage;
  marks: readonly CodeMark[];
  goTo: { line: number } | null;
  minHeight: string;
  maxHeight: string;
  label: string;
  describedBy: string;
}

const LANGUAGES: Record<CodeLanguage, readonly Extension[]> = { yaml: [yaml()], json: [json()], plain: [] };

/** The editor itself; `CodeEditor` loads it. */
export default function CodeView({ value, onChange, language, marks, goTo, minHeight, maxHeight, label, describedBy }: Props) {
  const [view, setView] = useState<EditorView | null>(null);
  const isDark = useComputedColorScheme('light') === 'dark';
  const isReadOnly = onChange === undefined;
  const extensions = useMemo(
    () => [
      ...LANGUAGES[language],
      ...colours(isDark),
      ...(isReadOnly ? [] : [lintGutter()]),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({
        'aria-label': label,
        'aria-describedby': describedBy,
        'aria-readonly': String(isReadOnly),
        spellcheck: 'false',
        // It can be reached without; this says so to those who look for what scrolls and cannot.
        tabindex: '0',
      }),
    ],
    [language, isDark, isReadOnly, label, describedBy],
  );
  useEffect(() => {
    if (view !== null) view.dispatch(setDiagnostics(view.state, diagnosticsOf(view.state.doc, marks)));
  }, [view, marks, value]);
  useEffect(() => {
    if (view === null || goTo === null || goTo.line > view.state.doc.lines) return;
    const { from } = view.state.doc.line(Math.max(1, goTo.line));
    view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) });
    view.focus();
  }, [view, goTo]);
  return (
    <CodeMirror
      value={value}
      onChange={onChange}
      onCreateEditor={setView}
      readOnly={isReadOnly}
      indentWithTab={!isReadOnly}
      theme="none"
      extensions={extensions}
      minHeight={minHeight}
      maxHeight={maxHeight}
      basicSetup={{ foldGutter: false, highlightActiveLine: !isReadOnly, highlightActiveLineGutter: !isReadOnly, autocompletion: false, tabSize: 2 }}
    />
  );
}
