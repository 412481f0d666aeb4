import { Badge, Group, Pagination, SegmentedControl, Stack, Table, Text, TextInput, UnstyledButton } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { Fragment, useState } from 'react';
import { useSearchParams } from 'react-router';
import { ApiError } from '@/api/errors';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { Section } from '@/components/Section';
import { type Batch, isOver, TooLarge } from './api';
import { BatchFiles } from './BatchFiles';
import { ItemDetail } from './ItemDetail';
import { answerOf, chosen, type Item, type ItemState } from './items';
import { promptOf } from './requests';
import { useBatchTexts } from './texts';

const FILTERS = ['all', 'answered', 'failed', 'waiting'] as const;
type Filter = (typeof FILTERS)[number];
const PER_PAGE = 25;
const COLORS: Record<ItemState, string> = { answered: 'teal', failed: 'red', waiting: 'gray' };

interface Props {
  batch: Batch;
  items: readonly Item[] | undefined;
  error: unknown;
  onRetry: () => void;
}

/** The requests of a batch with their answers; `?show=` is which of them. */
export function Items({ batch, items, error, onRetry }: Props) {
  const say = useBatchTexts().detail;
  return (
    <Section title={say.items}>
      {error instanceof TooLarge ? (
        <BatchFiles batch={batch} />
      ) : error instanceof ApiError && error.status === 404 ? (
        <Text>{say.gone}</Text>
      ) : error !== null && items === undefined ? (
        <ErrorNotice error={error} onRetry={onRetry} />
      ) : items === undefined ? (
        <Loading />
      ) : (
        <Shown items={items} isRunning={!isOver(batch)} />
      )}
    </Section>
  );
}

function Shown({ items, isRunning }: { items: readonly Item[]; isRunning: boolean }) {
  const say = useBatchTexts().detail;
  const [search, setSearch] = useSearchParams();
  const [words, setWords] = useState('');
  const [page, setPage] = useState(1);
  const asked = search.get('show');
  const filter: Filter = FILTERS.find((one) => one === asked) ?? 'all';
  const found = chosen(items, filter, words);
  const pages = Math.max(Math.ceil(found.length / PER_PAGE), 1);
  const here = Math.min(page, pages);
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <SegmentedControl
          size="xs"
          aria-label={say.filter}
          data={FILTERS.map((one) => ({ value: one, label: say.filters[one] }))}
          value={filter}
          onChange={(value) => {
            setPage(1);
            setSearch(value === 'all' ? {} : { show: value }, { replace: true });
          }}
        />
        <TextInput
          size="xs"
          style={{ flex: '1 1 14rem' }}
          aria-label={say.search}
          placeholder={say.search}
          value={words}
          onChange={(event) => {
            setPage(1);
            setWords(event.currentTarget.value);
          }}
        />
      </Group>
      {isRunning && (
        <Text size="sm" c="dimmed">
          {say.waitingNote}
        </Text>
      )}
      {found.length === 0 ? <Text>{say.noneSo}</Text> : <Rows items={found.slice((here - 1) * PER_PAGE, here * PER_PAGE)} />}
      {pages > 1 && (
        <Pagination
          total={pages}
          value={here}
          onChange={setPage}
          size="sm"
          aria-label={say.pages}
          getControlProps={(control) => ({ 'aria-label': control })}
          getItemProps={(number) => ({ 'aria-label': `${number}` })}
        />
      )}
    </Stack>
  );
}

function Rows({ items }: { items: readonly Item[] }) {
  const say = useBatchTexts();
  const [open, setOpen] = useState<string | null>(null);
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table layout="fixed" aria-label={say.detail.items}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={150}>{say.new.columns.id}</Table.Th>
            <Table.Th>{say.new.columns.prompt}</Table.Th>
            <Table.Th>{say.detail.answer}</Table.Th>
            <Table.Th w={120}>{say.columns.status}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => {
            const id = item.request.custom_id;
            const isOpen = open === id;
            return (
              <Fragment key={`${item.line} ${id}`}>
                <Row item={item} isOpen={isOpen} onToggle={() => setOpen(isOpen ? null : id)} />
                {isOpen && (
                  <Table.Tr>
                    <Table.Td colSpan={4}>
                      <ItemDetail item={item} />
                    </Table.Td>
                  </Table.Tr>
                )}
              </Fragment>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ item, isOpen, onToggle }: { item: Item; isOpen: boolean; onToggle: () => void }) {
  const say = useBatchTexts().detail;
  const id = item.request.custom_id;
  const Picture = isOpen ? IconChevronDown : IconChevronRight;
  return (
    <Table.Tr>
      <Table.Td>
        <UnstyledButton onClick={onToggle} aria-expanded={isOpen} aria-label={say.open(id)}>
          <Group gap={4} wrap="nowrap">
            <Picture size={16} aria-hidden style={{ flex: 'none' }} />
            <Text size="sm" className="breakable">
              {id}
            </Text>
          </Group>
        </UnstyledButton>
      </Table.Td>
      <Table.Td className="breakable">
        <Text size="sm" lineClamp={2}>
          {promptOf(item.request.body)}
        </Text>
      </Table.Td>
      <Table.Td className="breakable">
        <Text size="sm" lineClamp={2} c={item.state === 'failed' ? 'var(--mantine-color-error)' : undefined}>
          {item.error ?? answerOf(item.response)}
        </Text>
      </Table.Td>
      <Table.Td>
        <Badge variant="light" color={COLORS[item.state]} tt="none" autoContrast>
          {say.itemStates[item.state]}
        </Badge>
      </Table.Td>
    </Table.Tr>
  );
}
