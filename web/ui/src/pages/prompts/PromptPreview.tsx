import { Box, Mark } from '@mantine/core';
import { piecesOf } from './template';

interface Props {
  text: string;
  values?: Readonly<Record<string, string>>;
  label: string;
}

/** The prompt with its values in it, variables marked. */
export function PromptPreview({ text, values = {}, label }: Props) {
  return (
    <Box
      role="group"
      aria-label={label}
      tabIndex={0}
      p="sm"
      fz="sm"
      className="breakable"
      style={{ whiteSpace: 'pre-wrap', border: '1px solid var(--mantine-color-default-border)', borderRadius: 'var(--mantine-radius-md)', maxHeight: '22rem', overflow: 'auto' }}
    >
      {piecesOf(text, values).map((piece, place) =>
        piece.variable === null ? (
          <span key={place}>{piece.text}</span>
        ) : (
          <Mark key={place} c="black" color={values[piece.variable] ? 'teal' : 'yellow'}>
            {piece.text}
          </Mark>
        ),
      )}
    </Box>
  );
}
