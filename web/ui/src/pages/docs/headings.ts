/** Headings of Markdown, and the addresses that lead to them. */

export interface Heading {
  level: number;
  text: string;
  slug: string;
}

/** The anchor that GitHub gives a heading, which links in the manual use. */
export function slugOf(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

/** The headings of a text, those in blocks of code not among them. */
export function headingsOf(markdown: string): Heading[] {
  const headings: Heading[] = [];
  let isCode = false;
  for (const line of markdown.split('\n')) {
    if (/^\s*(```|~~~)/.test(line)) isCode = !isCode;
    const found = isCode ? null : /^(#{1,6})\s+(.+?)\s*$/.exec(line);
    if (found === null) continue;
    const text = (found[2] ?? '').replace(/`/g, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    headings.push({ level: found[1]?.length ?? 1, text, slug: slugOf(text) });
  }
  return headings;
}

/** Where a link of the manual leads within the UI; null for one that leads elsewhere. */
export function pageOf(href: string): string | null {
  const found = /^([\w-]+)\.md(#[\w-]+)?$/.exec(href);
  if (found === null) return null;
  return `/docs/${found[1] ?? ''}${found[2] ?? ''}`;
}

export interface Hit {
  heading: Heading | null;
  /** Some words around the first place. */
  excerpt: string;
}

const AROUND = 70;

/** The sections of a text in which all words of `search` are. */
export function sectionsWith(markdown: string, search: string): Hit[] {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return [];
  const headings = headingsOf(markdown);
  let next = 0;
  return markdown
    .split(/^(?=#{1,6}\s)/m)
    .map((section) => {
      const isHeaded = /^#{1,6}\s/.test(section);
      const heading = isHeaded ? (headings[next] ?? null) : null;
      if (isHeaded) next += 1;
      return { section, heading };
    })
    .filter(({ section }) => words.every((word) => section.toLowerCase().includes(word)))
    .map(({ section, heading }) => ({ heading, excerpt: excerptOf(section, words[0] ?? '') }));
}

function excerptOf(section: string, word: string): string {
  const text = section.replace(/^#.*\n/, '').replace(/\s+/g, ' ');
  const place = Math.max(0, text.toLowerCase().indexOf(word));
  const from = Math.max(0, place - AROUND);
  const piece = text.slice(from, place + AROUND).trim();
  return `${from > 0 ? '…' : ''}${piece}${place + AROUND < text.length ? '…' : ''}`;
}
