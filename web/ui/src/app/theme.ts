import { createTheme, type CSSVariablesResolver, defaultVariantColorsResolver, type MantineColorsTuple } from '@mantine/core';

const kronk: MantineColorsTuple = [
  '#e8f7f4', '#d3ece7', '#a6d9cf', '#75c5b5', '#4db4a0', '#34a992', '#23a38b', '#178c76', '#0b7364', '#005f51',
];

export const theme = createTheme({
  primaryColor: 'kronk',
  // White on the shade for light, and dark text on the one for dark, are both readable (4.5:1).
  primaryShade: { light: 8, dark: 5 },
  autoContrast: true,
  luminanceThreshold: 0.3,
  // The library takes the text's colour on the primary one from the shade for light in both schemes.
  variantColorResolver: (input) => {
    const usual = defaultVariantColorsResolver(input);
    const isPrimary = input.variant === 'filled' && (input.color === undefined || input.color === 'kronk');
    return isPrimary ? { ...usual, color: 'var(--mantine-primary-color-contrast)' } : usual;
  },
  colors: { kronk },
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  headings: { fontWeight: '650' },
  cursorType: 'pointer',
  components: {
    // Words in the colour of a light background are not dark enough to read (4.5:1).
    Alert: { styles: { title: { color: 'var(--mantine-color-text)' } } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250, multiline: true, maw: 320, events: { hover: true, focus: true, touch: true } } },
    Paper: { defaultProps: { withBorder: true } },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    // Who has no mouse scrolls by the arrow keys.
    TableScrollContainer: { defaultProps: { scrollAreaProps: { viewportProps: { tabIndex: 0 } } } },
    Table: { defaultProps: { verticalSpacing: 'xs', highlightOnHover: true } },
  },
});

/** The library's grey for lesser words is too pale to read (3.3:1); these have 4.5:1 and more, on tinted
 * backgrounds too. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5a6169',
    '--mantine-color-placeholder': '#6b7279',
    '--mantine-color-error': '#c22525',
    // Words on the tint of their own colour: badges, notices.
    '--mantine-color-teal-light-color': '#065f46',
    '--mantine-color-green-light-color': '#1d6330',
    '--mantine-color-lime-light-color': '#3d6407',
    '--mantine-color-orange-light-color': '#93370d',
    '--mantine-color-yellow-light-color': '#7a4a00',
  },
  dark: { '--mantine-color-dimmed': '#a9afb7', '--mantine-color-placeholder': '#9aa1a9', '--mantine-color-error': '#ff8f8f' },
});
