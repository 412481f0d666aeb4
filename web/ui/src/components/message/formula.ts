/** Formulas as HTML; loaded when there is one. */
import 'katex/dist/katex.min.css';
import katex from 'katex';

/** The HTML of a formula; null where it cannot be read. */
export function formulaHtml(tex: string, isBlock: boolean): string | null {
  try {
    // `trust` stays off: no formula links, loads or names a class.
    return katex.renderToString(tex, { displayMode: isBlock, throwOnError: true, strict: 'ignore', maxExpand: 500, maxSize: 40 });
  } catch (error) {
    if (error instanceof katex.ParseError) return null;
    throw error;
  }
}
