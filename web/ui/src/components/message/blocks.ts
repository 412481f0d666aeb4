/** The parts of a Markdown text that can be parsed each for itself, so that a growing answer parses its last one alone. */

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const BLANK = /^\s*$/;
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:/m;

/** The blocks of `text`, in order; joined by empty lines they say what it says. */
export function blocksOf(text: string): string[] {
  // A link's or a footnote's definition counts in all of the text.
  if (DEFINITION.test(text)) return [text];
  const blocks: string[] = [];
  let lines: string[] = [];
  let fence: string | null = null;
  let wasBlank = false;
  const end = () => {
    const block = lines.join('\n').trimEnd();
    if (block !== '') blocks.push(block);
    lines = [];
  };
  for (const line of text.split('\n')) {
    if (fence === null) {
      if (wasBlank && begins(line, lines[0])) end();
      fence = opened(line);
    } else if (closes(line, fence)) {
      fence = null;
    }
    wasBlank = fence === null && BLANK.test(line);
    if (!(wasBlank && lines.length === 0)) lines.push(line);
  }
  end();
  return blocks;
}

/** Whether `line`, after an empty one, belongs to no block that began with `first`. */
function begins(line: string, first: string | undefined): boolean {
  if (BLANK.test(line) || /^(?: {2,}|\t)/.test(line)) return false;
  return !(first !== undefined && LIST_ITEM.test(first) && LIST_ITEM.test(line));
}

/** The fence that `line` opens, of code or of a formula. */
function opened(line: string): string | null {
  const text = line.trim();
  if (text === '$$' || text === '\\[') return text;
  const found = FENCE.exec(line);
  if (found?.[1] === undefined) return null;
  return found[1].startsWith('`') && found[2]?.includes('`') ? null : found[1];
}

function closes(line: string, fence: string): boolean {
  const text = line.trim();
  if (fence === '$$') return text === '$$';
  if (fence === '\\[') return text === '\\]';
  return text.length >= fence.length && text === fence.charAt(0).repeat(text.length);
}

/** Which levels of headings `text` has, as digits in order: '13' for # and ###. */
export function headingLevels(text: string): string {
  const found = new Set<number>();
  let fence: string | null = null;
  for (const line of text.split('\n')) {
    if (fence !== null) {
      if (closes(line, fence)) fence = null;
      continue;
    }
    fence = opened(line);
    const marks = /^ {0,3}(#{1,6})(?:\s|$)/.exec(line)?.[1];
    if (marks !== undefined) found.add(marks.length);
  }
  return [...found].sort().join('');
}

/** `block`, the last of a text that still grows, with what it leaves open closed. */
export function healed(block: string): string {
  const lines = block.split('\n');
  if (lines.some((line) => opened(line) !== null)) return block;
  const last = lines.at(-1) ?? '';
  const ticks = last.replaceAll('\\`', '').split('`').length - 1;
  if (ticks % 2 === 1) return /`\s*$/.test(last) ? block.replace(/`\s*$/, '') : `${block}\``;
  const outside = last.replace(/`[^`]*`/g, '');
  const stars = outside.split('**').length - 1;
  if (stars % 2 === 0) return block;
  return /\*\*\s*$/.test(last) ? block.replace(/\*\*\s*$/, '') : `${block.trimEnd().replace(/\*$/, '')}**`;
}
