/**
 * Formulas as models write them, in the one way that the parser is told to know.
 *
 * `\( \)`, `\[ \]`, `$ $` and `$$ $$` become `$$ $$` within a line or as a block of its own. A single dollar is a formula
 * only where nobody would write a price: no space within, and no digit behind it.
 */

const CODE = /(^ {0,3}(?:`{3,}|~{3,})[^\n]*(?:\n|$)[\s\S]*?(?:\n {0,3}(?:`{3,}|~{3,})[ \t]*(?=\n|$)|$(?![\s\S]))|(?<!`)(`+)(?!`)(?:(?!\n\s*\n)[\s\S])*?[^`]\2(?!`))/gm;
const DISPLAY = /\\\[([\s\S]+?)\\\]|\$\$([\s\S]+?)\$\$/g;
const INLINE = /\\\(([^\n]+?)\\\)|(?<![\\$\w])\$(?![\s$])((?:\\.|[^\n$\\`])*?(?:\\.|[^\s$\\`]))\$(?![\d$])/g;
const OPEN_DISPLAY = /(?:\\\[|\$\$)((?:(?!\\\]|\$\$|\n\s*\n)[\s\S])*)$/;

/** `text` with its formulas in the parser's own notation; with `isGrowing`, one that has no end yet counts, too. */
export function withFormulas(text: string, isGrowing = false): string {
  if (!/[$\\]/.test(text)) return text;
  let result = '';
  let from = 0;
  for (const code of text.matchAll(CODE)) {
    result += prose(text.slice(from, code.index), result, false) + code[0];
    from = code.index + code[0].length;
  }
  return result + prose(text.slice(from), result, isGrowing);
}

function prose(text: string, before: string, isGrowing: boolean): string {
  if (!/[$\\]/.test(text)) return text;
  // Each formula is set aside, so that what is found next does not look into it.
  const kept: string[] = [];
  const keep = (formula: string) => `\u0000${kept.push(formula) - 1}\u0000`;
  let result = text.replace(DISPLAY, (whole: string, brackets: string | undefined, dollars: string | undefined, at: number, all: string) => {
    const formula = (brackets ?? dollars ?? '').trim();
    if (formula === '') return whole;
    return keep(placed(formula, lineBefore(before, all, at), all.slice(at + whole.length)));
  });
  if (isGrowing) {
    result = result.replace(OPEN_DISPLAY, (_whole, formula: string, at: number, all: string) =>
      formula.trim() === '' ? '' : keep(placed(formula.trim(), lineBefore(before, all, at), '')),
    );
  }
  result = result.replace(INLINE, (_whole, brackets: string | undefined, dollars: string | undefined) =>
    keep(`$$${(brackets ?? dollars ?? '').trim()}$$`),
  );
  // eslint-disable-next-line no-control-regex -- what `keep` has put in, which no text has
  return result.replace(/\u0000(\d+)\u0000/g, (_whole, index: string) => kept[Number(index)] ?? '');
}

function lineBefore(before: string, text: string, at: number): string {
  const all = before + text.slice(0, at);
  return all.slice(all.lastIndexOf('\n') + 1);
}

/** `formula` as a block of its own below `line`, within the list or quotation that this belongs to; in a table, within the line. */
function placed(formula: string, line: string, after: string): string {
  if (/^\s*\|/.test(line)) return `$$${formula.replaceAll('\n', ' ')}$$`;
  const marker = /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?/.exec(line)?.[0] ?? '';
  const indent = marker.replace(/[^\s>]/g, ' ');
  const isFirst = line === marker;
  const rest = /^[ \t]*(\n|$)/.test(after) ? '' : `\n${indent}`;
  const body = formula.split('\n').map((part) => `${indent}${part.replace(/^[\s>]+/, '')}`);
  return `${isFirst ? '' : `\n${indent}`}$$\n${body.join('\n')}\n${indent}$$${rest}`;
}
