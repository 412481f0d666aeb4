import { Text } from '@mantine/core';
import { type ComponentProps, lazy, Suspense } from 'react';

const Markdown = lazy(() => import('./Markdown'));

/** Markdown, drawn as soon as what draws it is here, and plain until then. */
export function MarkdownText(props: ComponentProps<typeof Markdown>) {
  return (
    <Suspense
      fallback={
        <Text component="div" className="breakable" style={{ whiteSpace: 'pre-wrap' }}>
          {props.text}
        </Text>
      }
    >
      <Markdown {...props} />
    </Suspense>
  );
}
