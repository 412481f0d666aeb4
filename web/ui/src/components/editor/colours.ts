import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { tags } from '@lezer/highlight';
import { EditorView, type Extension } from '@uiw/react-codemirror';

/** Colours of code: name, on light, on dark. Each is readable (4.5:1) on the theme's background. */
const WORDS = [
  [[tags.propertyName, tags.definition(tags.propertyName), tags.attributeName, tags.tagName], '#0b5cad', '#7cc4ff'],
  [[tags.string, tags.special(tags.string), tags.content], '#0b6b4f', '#86d9b5'],
  [[tags.number, tags.bool, tags.null, tags.atom], '#9c3a00', '#ffb37a'],
  [[tags.keyword, tags.labelName, tags.typeName, tags.meta], '#7a2aa8', '#d9a8ff'],
  [[tags.comment, tags.lineComment], '#5c6570', '#a3adb8'],
  [[tags.invalid], '#b3261e', '#ff9b94'],
] as const;

function words(isDark: boolean): HighlightStyle {
  return HighlightStyle.define(WORDS.map(([tag, light, dark]) => ({ tag: [...tag], color: isDark ? dark : light })));
}

function frame(isDark: boolean): Extension {
  return EditorView.theme(
    {
      '&': {
        color: 'var(--mantine-color-text)',
        backgroundColor: 'var(--mantine-color-body)',
        border: '1px solid var(--mantine-color-default-border)',
        borderRadius: 'var(--mantine-radius-md)',
        fontSize: '0.8125rem',
        overflow: 'hidden',
      },
      '&.cm-focused': { outline: '2px solid var(--mantine-primary-color-filled)', outlineOffset: '1px' },
      '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.55' },
      '.cm-content': { caretColor: 'var(--mantine-color-text)' },
      '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
      '.cm-gutters': { color: isDark ? '#a3adb8' : '#5c6570', backgroundColor: isDark ? '#22262b' : '#f4f5f6', border: 'none' },
      '.cm-activeLine': { backgroundColor: isDark ? '#ffffff0a' : '#0000000a' },
      '.cm-activeLineGutter': { backgroundColor: isDark ? '#ffffff14' : '#00000012' },
      '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: isDark ? '#2b5a8a' : '#bcdcff' },
      '.cm-tooltip': { color: 'var(--mantine-color-text)', backgroundColor: 'var(--mantine-color-body)', border: '1px solid var(--mantine-color-default-border)' },
    },
    { dark: isDark },
  );
}

const SCHEMES = {
  light: [frame(false), syntaxHighlighting(words(false))],
  dark: [frame(true), syntaxHighlighting(words(true))],
};

/** How the editor and the words in it look. */
export function colours(isDark: boolean): readonly Extension[] {
  return isDark ? SCHEMES.dark : SCHEMES.light;
}
