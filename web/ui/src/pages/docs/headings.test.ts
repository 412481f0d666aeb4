import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { headingsOf, pageOf, sectionsWith, slugOf } from './headings';
import { CHAPTERS, COMMANDS } from './manual';

const DOCS = path.resolve(import.meta.dirname, '../../../../../docs');
const FILES = readdirSync(DOCS).filter((name) => name.endsWith('.md'));

describe('the manual', () => {
  it('has every page of docs/ in its table of contents', () => {
    const names = [...CHAPTERS.map(({ name }) => `${name}.md`), `${COMMANDS}.md`];
    expect(names.sort()).toEqual(FILES.sort());
  });

  it.each(FILES)('leads from %s only to places that are there', (file) => {
    const text = readFileSync(path.join(DOCS, file), 'utf-8');
    for (const [, name = '', , anchor] of text.matchAll(/\]\(([\w-]+\.md)?(#([\w-]+))?\)/g)) {
      const target = name === '' ? file : name;
      expect(FILES).toContain(target);
      if (anchor === undefined) continue;
      const slugs = headingsOf(readFileSync(path.join(DOCS, target), 'utf-8')).map(({ slug }) => slug);
      expect(slugs, `${file} -> ${target}#${anchor}`).toContain(anchor);
    }
  });

  it.each([
    ['What a source is', 'what-a-source-is'],
    ['`kronk ps`, and more', 'kronk-ps-and-more'],
    ['Größe: 2 MB', 'größe-2-mb'],
  ])('gives %j the anchor %s', (text, slug) => {
    expect(slugOf(text.replace(/`/g, ''))).toBe(slug);
  });

  it('does not take a comment in code for a heading', () => {
    expect(headingsOf('# A\n```shell\n# no\n```\n## B [c](d.md)').map(({ text }) => text)).toEqual(['A', 'B c']);
  });

  it.each([
    ['models.md', '/docs/models'],
    ['api.md#jobs', '/docs/api#jobs'],
    ['https://example.com/x.md', null],
    ['#here', null],
  ])('leads %s to %s', (href, page) => {
    expect(pageOf(href)).toBe(page);
  });

  it('finds the section that has all words', () => {
    const hits = sectionsWith('Intro words\n## One\nalpha beta\n## Two\nbeta gamma', 'BETA gamma');
    expect(hits.map(({ heading }) => heading?.text)).toEqual(['Two']);
    expect(sectionsWith('## One\nx', ' ')).toEqual([]);
  });
});
