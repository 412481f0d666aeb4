import { Alert, Anchor, Badge, Button, Group, Paper, Select, SimpleGrid, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { IconLink, IconSearch, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { type CatalogEntry, catalogQuery } from '@/api/catalog';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Purposes } from '@/components/Purposes';
import { useLive } from '@/live/store';
import { bytes } from '@/text/format';
import { browsed, categoriesOf, type Filters, guess } from './browse';
import { PullButton } from './PullButton';
import { useCatalogTexts } from './texts';
import { UpdateCatalog } from './UpdateCatalog';

/** Bytes that the machine gives to models, on all devices; null while that is not known. */
function useBudget(): number | null {
  const budgets = useLive().state?.budgets;
  return budgets === undefined ? null : Math.max(...budgets.map((budget) => budget.budget_bytes), 0);
}

export function CatalogList() {
  const say = useCatalogTexts();
  const [query, setQuery] = useSearchParams();
  const { data, error, refetch } = useQuery(catalogQuery());
  const budget = useBudget();
  const filters: Filters = { words: query.get('q') ?? '', category: query.get('category') ?? '', onlyFitting: query.get('fits') === '1', onlyMissing: query.get('missing') === '1' };
  const put = (key: string, value: string) =>
    setQuery((now) => {
      if (value === '') now.delete(key);
      else now.set(key, value);
      return now;
    }, { replace: true });
  const shown = browsed(data?.data ?? [], filters, budget);
  return (
    <>
      <PageHeader
        title={say.title}
        description={say.description}
        actions={
          <>
            <UpdateCatalog />
            <Button component={Link} to="/catalog/pull" leftSection={<IconLink size={18} aria-hidden />}>
              {say.byName}
            </Button>
          </>
        }
      />
      {data === undefined ? (
        error === null ? <Loading /> : <ErrorNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Stack>
          {data.faults.length > 0 && (
            <Alert color="orange" title={say.faults}>
              {data.faults.map((fault) => (
                <Text key={fault} size="sm" className="breakable">
                  {fault}
                </Text>
              ))}
            </Alert>
          )}
          <Group align="flex-end" gap="sm">
            <TextInput label={say.search} placeholder={say.searchHint} leftSection={<IconSearch size={16} aria-hidden />} value={filters.words} onChange={(event) => put('q', event.currentTarget.value)} style={{ flex: '1 1 14rem' }} />
            <Select
              label={say.category}
              data={[{ value: '', label: say.everything }, ...categoriesOf(data.data).map((value) => ({ value, label: say.categories[value as keyof typeof say.categories] ?? value }))]}
              value={filters.category}
              onChange={(value) => put('category', value ?? '')}
              allowDeselect={false}
              w={{ base: '100%', xs: 220 }}
            />
            <Switch label={say.onlyFitting} checked={filters.onlyFitting} onChange={(event) => put('fits', event.currentTarget.checked ? '1' : '')} mb={8} />
            <Switch label={say.onlyMissing} checked={filters.onlyMissing} onChange={(event) => put('missing', event.currentTarget.checked ? '1' : '')} mb={8} />
          </Group>
          <Text size="sm" role="status">
            {say.count(shown.length, data.data.length)}
          </Text>
          {shown.length === 0 ? (
            <EmptyState icon={IconSearchOff} title={say.nothing} text={say.nothingText} action={<Button component={Link} to="/catalog/pull">{say.byName}</Button>} />
          ) : (
            <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {shown.map((entry) => (
                <li key={entry.id}>
                  <Card entry={entry} budget={budget} />
                </li>
              ))}
            </SimpleGrid>
          )}
        </Stack>
      )}
    </>
  );
}

const GUESSED = { fits: 'teal', tight: 'orange', too_large: 'red', unknown: 'gray' } as const;

function Card({ entry, budget }: { entry: CatalogEntry; budget: number | null }) {
  const say = useCatalogTexts();
  const guessed = guess(entry.size_bytes, budget);
  const size = entry.size_bytes === null ? null : entry.size_is_exact ? bytes(entry.size_bytes) : say.about(bytes(entry.size_bytes));
  return (
    <Paper p="md" h="100%">
      <Stack gap={6} h="100%">
        <Group justify="space-between" align="flex-start" gap="xs" wrap="nowrap">
          <Title order={2} size="h5" className="breakable">
            <Anchor component={Link} to={`/catalog/${encodeURIComponent(entry.id)}`} inherit>
              {entry.id}
            </Anchor>
          </Title>
          {guessed !== 'unknown' && (
            <Badge variant="light" color={GUESSED[guessed]} tt="none" autoContrast style={{ flex: 'none' }}>
              {say.guesses[guessed]}
            </Badge>
          )}
        </Group>
        <Text size="sm">{entry.description}</Text>
        <Text size="sm" c="dimmed" className="numbers">
          {[entry.parameters, size, entry.quantisation, entry.licence].filter((one) => one != null && one !== '').join(' · ')}
        </Text>
        <Group justify="space-between" gap="xs" mt="auto">
          <Group gap={4}>
            <Badge variant="default" size="sm" tt="none" fw={500}>
              {say.categories[entry.category as keyof typeof say.categories] ?? entry.category}
            </Badge>
            <Purposes capabilities={entry.capabilities} />
          </Group>
          <PullButton wanted={entry.id} model={entry.id} pulled={entry.pulled} />
        </Group>
      </Stack>
    </Paper>
  );
}
