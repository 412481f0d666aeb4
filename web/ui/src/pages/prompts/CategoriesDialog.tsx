import { ActionIcon, Alert, Button, Group, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ApiError } from '@/api/errors';
import { type Category, CATEGORY_COLORS, type CategoryColor, changeCategories, listCategories, PROMPTS_KEY } from '@/api/prompts';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Dot } from './CategoryMark';
import { usePromptsTexts } from './texts';

interface Props {
  isOpen: boolean;
  categories: readonly Category[];
  onClose: () => void;
}

/** Names and colours of the categories. */
export function CategoriesDialog({ isOpen, categories, onClose }: Props) {
  const say = usePromptsTexts();
  return (
    <Modal opened={isOpen} onClose={onClose} title={say.manage.title} size="lg">
      {isOpen && <Form categories={categories} onClose={onClose} />}
    </Modal>
  );
}

/** A row keeps its place and its first name while it is edited. */
interface Row extends Category {
  key: number;
}

function Form({ categories, onClose }: Omit<Props, 'isOpen'>) {
  const say = usePromptsTexts();
  const queries = useQueryClient();
  const [rows, setRows] = useState<Row[]>(() => categories.map((one, key) => ({ ...one, was: one.name, key })));
  // What the rows were made from, also when the list behind the dialog is another by now.
  const [before, setBefore] = useState(categories);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const [isTried, setTried] = useState(false);
  const problems = problemsOf(rows, say.manage.empty, say.manage.twice);
  const set = (key: number, change: Partial<Category>) => setRows(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (problems.size > 0) return;
    setBusy(true);
    setError(null);
    const wanted = rows.map(({ name, color, icon, was }) => ({ name: name.trim(), color, ...(icon !== undefined && { icon }), ...(was !== undefined && { was }) }));
    try {
      await changeCategories(wanted, before);
      await queries.invalidateQueries({ queryKey: PROMPTS_KEY });
      onClose();
    } catch (failure) {
      setError(failure);
      if (!isConflict(failure)) return;
      setBefore(await listCategories().catch(() => before));
      await queries.invalidateQueries({ queryKey: PROMPTS_KEY });
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={save} noValidate>
      <Stack gap="sm">
        <Text size="sm">{say.manage.hint}</Text>
        {rows.map((row) => (
          <Group key={row.key} gap="xs" align="flex-start" wrap="nowrap">
            <TextInput
              aria-label={say.manage.name}
              value={row.name}
              maxLength={60}
              onChange={(event) => set(row.key, { name: event.currentTarget.value })}
              error={isTried ? problems.get(row.key) : null}
              style={{ flex: 1, minWidth: 0 }}
            />
            <Select
              aria-label={say.manage.color}
              data={CATEGORY_COLORS.map((color) => ({ value: color, label: say.colors[color] }))}
              value={row.color}
              onChange={(color) => color !== null && set(row.key, { color })}
              leftSection={<Dot color={row.color} />}
              renderOption={({ option }) => (
                <Group gap={8}>
                  <Dot color={option.value} />
                  {option.label}
                </Group>
              )}
              allowDeselect={false}
              w={140}
            />
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={say.manage.remove(row.name)} onClick={() => setRows(rows.filter(({ key }) => key !== row.key))}>
              <IconTrash size={17} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        {isConflict(error) && (
          <Alert role="alert" color="yellow">
            {say.manage.conflict}
          </Alert>
        )}
        {error !== null && !isConflict(error) && <ErrorNotice error={error} />}
        <Group justify="space-between">
          <Button
            variant="default"
            leftSection={<IconPlus size={16} aria-hidden />}
            disabled={rows.length >= 50}
            onClick={() => setRows([...rows, { name: '', color: nextColor(rows), key: Math.max(-1, ...rows.map(({ key }) => key)) + 1 }])}
          >
            {say.manage.add}
          </Button>
          <Button type="submit" loading={isBusy}>
            {say.manage.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const isConflict = (error: unknown) => error instanceof ApiError && error.status === 409;

/** What is wrong with the name of each row, by its key. */
function problemsOf(rows: readonly Row[], empty: string, twice: string): Map<number, string> {
  const seen = new Set<string>();
  const found = new Map<number, string>();
  for (const { key, name } of rows) {
    const plain = name.trim().toLocaleLowerCase();
    if (plain === '') found.set(key, empty);
    else if (seen.has(plain)) found.set(key, twice);
    seen.add(plain);
  }
  return found;
}

/** One that is not taken, as long as there is one. */
function nextColor(rows: readonly Category[]): CategoryColor {
  return CATEGORY_COLORS.find((color) => !rows.some((row) => row.color === color)) ?? 'gray';
}
