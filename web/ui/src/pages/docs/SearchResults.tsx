import { Anchor, Stack, Text } from '@mantine/core';
import { IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'react-router';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { sectionsWith } from './headings';
import { CHAPTERS, COMMANDS, read } from './manual';
import { useDocsTexts } from './texts';

const MOST_SHOWN = 60;

/** Where the manual has all the words. */
export function SearchResults({ search }: { search: string }) {
  const say = useDocsTexts();
  const { data, error } = useQuery({ queryKey: ['manual'], queryFn: readAll, staleTime: Infinity });
  const hits = useMemo(
    () => (data ?? []).flatMap(({ name, title, text }) => sectionsWith(text, search).map((hit) => ({ name, title: name === COMMANDS ? say.commands : title, ...hit }))),
    [data, search, say],
  );
  if (error !== null) return <ErrorNotice error={error} />;
  if (data === undefined) return <Loading />;
  if (hits.length === 0) return <EmptyState icon={IconSearchOff} title={say.nothing.title} text={say.nothing.text} />;
  return (
    <Stack gap="md">
      <Text c="dimmed" size="sm" role="status">
        {say.found(hits.length)}
      </Text>
      {hits.slice(0, MOST_SHOWN).map(({ name, title, heading, excerpt }, place) => (
        <div key={`${name} ${heading?.slug ?? ''} ${place}`}>
          <Anchor component={Link} to={`/docs/${name}${heading === null ? '' : `#${heading.slug}`}`}>
            {heading === null ? title : `${title} › ${heading.text}`}
          </Anchor>
          <Text size="sm" c="dimmed" className="breakable">
            {excerpt}
          </Text>
        </div>
      ))}
    </Stack>
  );
}

async function readAll() {
  const pages = [...CHAPTERS, { name: COMMANDS, title: COMMANDS }];
  return Promise.all(pages.map(async ({ name, title }) => ({ name, title, text: (await read(name)) ?? '' })));
}
