/** Line by line, what became of a text. */

export interface DiffLine {
  kind: 'same' | 'gone' | 'new';
  text: string;
  /** Of the new text, or of the old one for what is gone. */
  line: number;
}

/** Lines around a change that are shown with it. */
const CONTEXT = 3;
/** Beyond so many pairs of lines the middle is shown as replaced whole. */
const MOST_PAIRS = 4_000_000;

/** The shortest way from the one text to the other. */
export function diffOf(before: string, after: string): DiffLine[] {
  const old = linesOf(before);
  const now = linesOf(after);
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  const middle = between(old.slice(start, old.length - end), now.slice(start, now.length - end), start);
  const same = (text: string, line: number): DiffLine => ({ kind: 'same', text, line });
  return [
    ...now.slice(0, start).map((text, at) => same(text, at + 1)),
    ...middle,
    ...now.slice(now.length - end).map((text, at) => same(text, now.length - end + at + 1)),
  ];
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function between(old: string[], now: string[], offset: number): DiffLine[] {
  const gone = (at: number): DiffLine => ({ kind: 'gone', text: old[at] ?? '', line: offset + at + 1 });
  const made = (at: number): DiffLine => ({ kind: 'new', text: now[at] ?? '', line: offset + at + 1 });
  if (old.length * now.length > MOST_PAIRS) return [...old.map((_, at) => gone(at)), ...now.map((_, at) => made(at))];
  // Longest common part from each pair of lines on.
  const width = now.length + 1;
  const common = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ kind: 'same', text: now[j] ?? '', line: offset + j + 1 });
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(gone(i));
      i += 1;
    } else {
      lines.push(made(j));
      j += 1;
    }
  }
  return lines;
}

/** Without what is far from any change; null stands for what was left out. */
export function folded(lines: readonly DiffLine[]): (DiffLine | null)[] {
  const isNear = lines.map((_, at) => lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((line) => line.kind !== 'same'));
  const shown: (DiffLine | null)[] = [];
  lines.forEach((line, at) => {
    if (isNear[at]) shown.push(line);
    else if (shown.at(-1) !== null) shown.push(null);
  });
  return shown;
}
