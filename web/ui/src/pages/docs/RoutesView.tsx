import { Accordion, Anchor, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { call } from '@/api/http';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import classes from './Docs.module.css';
import { type Document, routesOf } from './openapi';
import { RouteDetails } from './RouteDetails';
import { useDocsTexts } from './texts';

/** Every route of this server, drawn from its OpenAPI document. */
export default function RoutesView() {
  const say = useDocsTexts();
  const [search, setSearch] = useState('');
  const { data, error, refetch } = useQuery({ queryKey: ['openapi'], queryFn: ({ signal }) => call<Document>('/openapi.json', { signal }), staleTime: Infinity });
  const groups = useMemo(() => (data === undefined ? new Map<string, never>() : routesOf(data, search)), [data, search]);
  if (error !== null) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading rows={10} />;
  const count = [...groups.values()].reduce((sum, routes) => sum + routes.length, 0);
  return (
    <Stack>
      <Group align="flex-end">
        <TextInput label={say.filter} value={search} onChange={(event) => setSearch(event.currentTarget.value)} style={{ flex: 1 }} />
        <Anchor href="/openapi.json" target="_blank">
          {say.document}
        </Anchor>
      </Group>
      <Text size="sm" c="dimmed" role="status">
        {say.routes(count)}
      </Text>
      {[...groups].map(([tag, routes]) => (
        <section key={tag} aria-label={tag}>
          <Title order={2} size="h4" mb="xs">
            {tag}
          </Title>
          <Accordion variant="contained" order={3} multiple>
            {routes.map((route) => (
              <Accordion.Item key={`${route.method} ${route.path}`} value={`${route.method} ${route.path}`}>
                <Accordion.Control>
                  <Text size="sm" component="span" className="breakable" ff="monospace">
                    <span className={classes.method}>{route.method}</span> {route.path}
                  </Text>
                  <Text size="sm" c="dimmed" component="span" display="block">
                    {route.operation.summary}
                  </Text>
                </Accordion.Control>
                <Accordion.Panel>
                  <RouteDetails document={data} operation={route.operation} />
                </Accordion.Panel>
              </Accordion.Item>
            ))}
          </Accordion>
        </section>
      ))}
    </Stack>
  );
}
