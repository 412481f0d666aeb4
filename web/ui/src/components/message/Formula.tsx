import { lazy, Suspense } from 'react';
import classes from './Markdown.module.css';

interface Props {
  tex: string;
  isBlock: boolean;
}

const Typeset = lazy(async () => {
  const { formulaHtml } = await import('./formula');
  return {
    default: function Typeset({ tex, isBlock }: Props) {
      const html = formulaHtml(tex, isBlock);
      return html === null ? <Source tex={tex} isBlock={isBlock} /> : <Frame isBlock={isBlock} html={html} />;
    },
  };
});

/** A formula; its source while what draws it is loaded, and where it cannot be read. */
export function Formula(props: Props) {
  return (
    <Suspense fallback={<Source {...props} />}>
      <Typeset {...props} />
    </Suspense>
  );
}

function Frame({ isBlock, html }: { isBlock: boolean; html: string }) {
  return isBlock ? (
    // It scrolls where it is wider than the page.
    <div className={classes.formula} tabIndex={0} dangerouslySetInnerHTML={{ __html: html }} />
  ) : (
    <span className={classes.inlineFormula} dangerouslySetInnerHTML={{ __html: html }} />
  );
}

function Source({ tex, isBlock }: Props) {
  return isBlock ? (
    <div className={classes.formula}>
      <code>{tex}</code>
    </div>
  ) : (
    <code>{tex}</code>
  );
}
