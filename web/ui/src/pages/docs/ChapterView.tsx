import { Anchor } from '@mantine/core';
import { IconFileUnknown } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import { Link, useLocation } from 'react-router';
import remarkGfm from 'remark-gfm';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { CodeBlock } from '@/components/message/CodeBlock';
import markdown from '@/components/message/Markdown.module.css';
import classes from './Docs.module.css';
import { headingsOf, pageOf, slugOf } from './headings';
import { read } from './manual';
import { useDocsTexts } from './texts';

/** A page of the manual, with its headings in front. */
export default function ChapterView({ name }: { name: string }) {
  const say = useDocsTexts();
  const { data, error, isPending } = useQuery({ queryKey: ['manual', name], queryFn: () => read(name), staleTime: Infinity });
  const { hash } = useLocation();
  useEffect(() => {
    if (data != null && hash !== '') document.getElementById(decodeURIComponent(hash.slice(1)))?.scrollIntoView();
  }, [data, hash]);
  if (isPending) return <Loading rows={10} />;
  if (error !== null) return <ErrorNotice error={error} />;
  if (data === null) return <EmptyState icon={IconFileUnknown} title={say.notFound.title} text={say.notFound.text(name)} />;
  return (
    <article>
      <OnThisPage text={data} />
      <div className={markdown.markdown}>
        <ReactMarkdown remarkPlugins={[remarkGfm]} components={COMPONENTS}>
          {data}
        </ReactMarkdown>
      </div>
    </article>
  );
}

function OnThisPage({ text }: { text: string }) {
  const say = useDocsTexts();
  const headings = headingsOf(text).filter(({ level }) => level === 2);
  if (headings.length < 3) return null;
  return (
    <nav aria-label={say.onThisPage}>
      <ul className={classes.toc}>
        {headings.map(({ slug, text: title }) => (
          <li key={slug}>
            <Anchor component={Link} to={`#${slug}`} size="sm">
              {title}
            </Anchor>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node);
  if (Array.isArray(node)) return node.map(textOf).join('');
  if (typeof node === 'object' && node !== null && 'props' in node) return textOf((node.props as { children?: ReactNode }).children);
  return '';
}

function heading(Tag: 'h2' | 'h3' | 'h4', level: string | undefined) {
  return function Heading({ children }: { children?: ReactNode }) {
    return (
      <Tag id={slugOf(textOf(children))} className={level}>
        {children}
      </Tag>
    );
  };
}

function ManualLink({ href = '', children }: { href?: string | undefined; children?: ReactNode }) {
  const page = pageOf(href);
  if (page !== null || href.startsWith('#')) {
    return (
      <Anchor component={Link} to={page ?? href} inherit underline="always">
        {children}
      </Anchor>
    );
  }
  // What lies elsewhere in the project is not here.
  if (!/^https?:/.test(href)) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

const COMPONENTS: Components = {
  h2: heading('h2', markdown.level2),
  h3: heading('h3', markdown.level3),
  h4: heading('h4', markdown.level4),
  a: ({ href, children }) => <ManualLink href={href}>{children}</ManualLink>,
  pre: ({ children }) => {
    const props = (children as { props?: { className?: string; children?: ReactNode } } | null)?.props ?? {};
    return <CodeBlock code={textOf(props.children).replace(/\n$/, '')} language={props.className?.replace('language-', '') ?? ''} />;
  },
  table: ({ children }) => (
    <div className={markdown.table} tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
};
