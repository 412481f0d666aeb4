/** A line of two texts: of both, or of one of them. */
export interface DiffLine {
  kind: 'same' | 'gone' | 'new';
  text: string;
}

/** Lines beyond which no best match is looked for: that takes their product in steps. */
const MOST_LINES = 1500;

/** What became of `before`, line by line: the longest common part stays. */
export function diffLines(before: string, after: string): DiffLine[] {
  const old = before.split('\n');
  const now = after.split('\n');
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  const same = (texts: string[]) => texts.map((text): DiffLine => ({ kind: 'same', text }));
  return [
    ...same(old.slice(0, start)),
    ...middle(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...same(old.slice(old.length - end)),
  ];
}

function middle(old: string[], now: string[]): DiffLine[] {
  const gone = (text: string): DiffLine => ({ kind: 'gone', text });
  const fresh = (text: string): DiffLine => ({ kind: 'new', text });
  if (old.length > MOST_LINES || now.length > MOST_LINES) return [...old.map(gone), ...now.map(fresh)];
  // How many lines the rests from here on have in common.
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  const at = (one: number, other: number) => common[one * width + other] ?? 0;
  for (let one = old.length - 1; one >= 0; one -= 1) {
    for (let other = now.length - 1; other >= 0; other -= 1) {
      common[one * width + other] = old[one] === now[other] ? at(one + 1, other + 1) + 1 : Math.max(at(one + 1, other), at(one, other + 1));
    }
  }
  const found: DiffLine[] = [];
  let one = 0;
  let other = 0;
  while (one < old.length || other < now.length) {
    const left = old[one];
    const right = now[other];
    if (left !== undefined && left === right) {
      found.push({ kind: 'same', text: left });
      one += 1;
      other += 1;
    } else if (right === undefined || (left !== undefined && at(one + 1, other) >= at(one, other + 1))) {
      found.push(gone(left ?? ''));
      one += 1;
    } else {
      found.push(fresh(right));
      other += 1;
    }
  }
  return found;
}
