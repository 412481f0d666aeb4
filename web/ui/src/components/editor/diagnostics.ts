import type { Diagnostic } from '@codemirror/lint';
import type { Text } from '@uiw/react-codemirror';
import type { CodeMark } from '../CodeEditor';

/** The marks as places in the text: from the column to the end of its word, or the whole line. A
 * line that is no longer there is the last one. */
export function diagnosticsOf(text: Text, marks: readonly CodeMark[]): Diagnostic[] {
  return marks
    .map((mark) => {
      const line = text.line(Math.min(Math.max(1, mark.line), text.lines));
      const from = Math.min(line.from + Math.max(0, (mark.column ?? 1) - 1), line.to);
      const word = mark.column == null ? null : /^[^\s:]+/.exec(text.sliceString(from, line.to));
      const to = word === null ? line.to : from + word[0].length;
      return { from, to, severity: mark.severity ?? 'error', message: mark.message };
    })
    .sort((one, other) => one.from - other.from);
}
