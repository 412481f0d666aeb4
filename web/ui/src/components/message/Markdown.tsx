import { createContext, memo, type ReactNode, useContext, useMemo } from 'react';
import ReactMarkdown, { type Components, type ExtraProps, type Options } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';
import { texts } from '@/text/texts';
import { isHere, safeLink } from './addresses';
import { blocksOf, headingLevels, healed } from './blocks';
import { CodeBlock } from './CodeBlock';
import { Formula } from './Formula';
import { withFormulas } from './math';
import classes from './Markdown.module.css';

const useWords = texts({
  en: { table: 'Table', picture: 'Picture', elsewhere: (name: string) => `Picture: ${name}`, done: 'Done', open: 'To do' },
  de: { table: 'Tabelle', picture: 'Bild', elsewhere: (name: string) => `Bild: ${name}`, done: 'Erledigt', open: 'Offen' },
});

interface Props {
  text: string;
  /** Whether more of it may come: what is left open is shown as if it were closed. */
  isGrowing?: boolean;
  /** The level that its highest heading gets, so that it fits what is around it. */
  heading?: 2 | 3 | 4;
}

/** The levels of headings in the text, as digits in order, and the level of the first of them. */
const Headings = createContext<{ levels: string; first: number }>({ levels: '', first: 2 });

/** An answer's Markdown: GitHub's, with formulas, and without HTML. */
export default function Markdown({ text, isGrowing = false, heading = 2 }: Props) {
  const blocks = blocksOf(text);
  const levels = headingLevels(text);
  const headings = useMemo(() => ({ levels, first: heading }), [levels, heading]);
  return (
    <Headings value={headings}>
      <div className={classes.markdown}>
        {blocks.map((block, index) => (
          <Block key={index} text={block} isGrowing={isGrowing && index === blocks.length - 1} />
        ))}
      </div>
    </Headings>
  );
}

const PLUGINS: Options['remarkPlugins'] = [remarkGfm, [remarkMath, { singleDollarTextMath: false }]];

const Block = memo(function Block({ text, isGrowing }: { text: string; isGrowing: boolean }) {
  const source = isGrowing ? healed(withFormulas(text, true)) : withFormulas(text);
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS} urlTransform={(address) => address}>
      {source}
    </ReactMarkdown>
  );
});

type Node = NonNullable<ExtraProps['node']>;

function textOf(node: Node): string {
  return node.children.map((child) => (child.type === 'text' ? child.value : child.type === 'element' ? textOf(child) : '')).join('');
}

function classesOf(node: Node | undefined): string[] {
  const names = node?.properties.className;
  return Array.isArray(names) ? names.map(String) : [];
}

function Pre({ node }: ExtraProps) {
  const code = node?.children.find((child) => child.type === 'element');
  if (code === undefined) return null;
  const names = classesOf(code);
  const text = textOf(code).replace(/\n$/, '');
  if (names.includes('language-math') && names.includes('math-display')) return <Formula tex={text} isBlock />;
  const language = names.find((name) => name.startsWith('language-'))?.slice('language-'.length) ?? '';
  return <CodeBlock code={text} language={language} />;
}

function Code({ node, children }: ExtraProps & { children?: ReactNode }) {
  if (node !== undefined && classesOf(node).includes('math-inline')) return <Formula tex={textOf(node)} isBlock={false} />;
  return <code>{children}</code>;
}

function Anchor({ href, children }: { href?: string | undefined; children?: ReactNode }) {
  const address = safeLink(href ?? '');
  if (address === '') return <span>{children}</span>;
  if (address.startsWith('#')) return <a href={address}>{children}</a>;
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function Picture({ src, alt }: { src?: string | Blob | undefined; alt?: string | undefined }) {
  const say = useWords();
  const address = typeof src === 'string' ? src : '';
  const name = alt === undefined || alt === '' ? say.picture : alt;
  if (address !== '' && isHere(address, location.origin)) return <img src={address} alt={name} loading="lazy" />;
  return <Anchor href={address}>{say.elsewhere(name)}</Anchor>;
}

function Table({ children }: { children?: ReactNode }) {
  const say = useWords();
  return (
    <div className={classes.table} tabIndex={0} role="region" aria-label={say.table}>
      <table>{children}</table>
    </div>
  );
}

/** The box of a task; there are no other inputs in Markdown. */
function Box({ checked }: { checked?: boolean | undefined }) {
  const say = useWords();
  return <input type="checkbox" checked={checked === true} disabled aria-label={checked === true ? say.done : say.open} />;
}

function heading(level: number) {
  return function Heading({ children }: { children?: ReactNode }) {
    const { levels, first } = useContext(Headings);
    const rank = Math.max(0, levels.indexOf(String(level)));
    const Tag = `h${Math.min(6, first + rank)}` as 'h2';
    return <Tag className={classes[`level${Math.min(4, level)}`]}>{children}</Tag>;
  };
}

const COMPONENTS: Components = {
  pre: Pre,
  code: Code,
  a: ({ href, children }) => <Anchor href={href}>{children}</Anchor>,
  img: ({ src, alt }) => <Picture src={src} alt={alt} />,
  table: ({ children }) => <Table>{children}</Table>,
  input: ({ checked }) => <Box checked={checked} />,
  h1: heading(1),
  h2: heading(2),
  h3: heading(3),
  h4: heading(4),
  h5: heading(5),
  h6: heading(6),
};
