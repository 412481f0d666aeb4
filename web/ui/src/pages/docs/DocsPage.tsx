import { Box, NavLink, Stack, Text, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { lazy, Suspense } from 'react';
import { Link, Navigate, useParams, useSearchParams } from 'react-router';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import classes from './Docs.module.css';
import { CHAPTERS, COMMANDS } from './manual';
import { SearchResults } from './SearchResults';
import { useDocsTexts } from './texts';

const ChapterView = lazy(() => import('./ChapterView'));
const RoutesView = lazy(() => import('./RoutesView'));

/** The address of the API's routes, beside the names of chapters. */
const ROUTES = 'routes';

export default function DocsPage() {
  const say = useDocsTexts();
  const name = useParams()['*'] ?? '';
  const [parameters, setParameters] = useSearchParams();
  const search = parameters.get('q') ?? '';
  if (name === '') return <Navigate to={`/docs/ui${location.search}`} replace />;
  return (
    <>
      <PageHeader title={titleOf(name, say)} description={say.about} />
      <div className={classes.columns}>
        <Stack gap="sm" component="nav" aria-label={say.contents} className={classes.contents}>
          <TextInput
            aria-label={say.search}
            placeholder={say.search}
            leftSection={<IconSearch size={16} aria-hidden />}
            value={search}
            onChange={(event) => setParameters(event.currentTarget.value === '' ? {} : { q: event.currentTarget.value }, { replace: true })}
          />
          <Contents name={name} />
        </Stack>
        <Box className={classes.text}>
          <Suspense fallback={<Loading rows={10} />}>
            {search !== '' ? <SearchResults search={search} /> : name === ROUTES ? <RoutesView /> : <ChapterView key={name} name={name} />}
          </Suspense>
        </Box>
      </div>
    </>
  );
}

type Words = ReturnType<typeof useDocsTexts>;

function titleOf(name: string, say: Words): string {
  if (name === ROUTES) return say.api;
  if (name === COMMANDS) return say.commands;
  return CHAPTERS.find((chapter) => chapter.name === name)?.title ?? say.title;
}

function Contents({ name }: { name: string }) {
  const say = useDocsTexts();
  const entries = (rows: readonly { name: string; title: string }[]) =>
    rows.map((row) => (
      <NavLink key={row.name} component={Link} to={`/docs/${row.name}`} label={row.title} active={row.name === name} aria-current={row.name === name ? 'page' : undefined} py={4} className={classes.entry} />
    ));
  return (
    <>
      <div>
        <Text size="xs" c="dimmed" fw={600} px="sm">
          {say.references}
        </Text>
        {entries([
          { name: ROUTES, title: say.api },
          { name: COMMANDS, title: say.commands },
        ])}
      </div>
      <div>
        <Text size="xs" c="dimmed" fw={600} px="sm">
          {say.manual}
        </Text>
        {entries(CHAPTERS)}
      </div>
    </>
  );
}
