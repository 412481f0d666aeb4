import { Button, Group, SimpleGrid, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCategory, IconDownload, IconPlus, IconQuote, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { importPrompts, type Prompt, useCategories, usePrompts } from '@/api/prompts';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { ImportButton } from '@/library/ImportButton';
import { importFiles, itemsOf } from '@/library/importing';
import { useLibraryTexts } from '@/library/texts';
import { useSearchText, withParameter } from '@/library/useSearchText';
import { CategoriesDialog } from './CategoriesDialog';
import { FillDialog } from './FillDialog';
import { allCategories, shelfOf, shown } from './filter';
import { PromptCard } from './PromptCard';
import { Shelves } from './Shelves';
import { usePromptsTexts } from './texts';
import { usePromptActions } from './usePromptActions';

/** All prompts, by what they are for. */
export function LibraryPage() {
  const say = usePromptsTexts();
  const both = useLibraryTexts();
  const [parameters, setParameters] = useSearchParams();
  const shelf = shelfOf(parameters.get('shelf'));
  const [query, typed, setTyped] = useSearchText('q');
  const prompts = usePrompts();
  const categories = useCategories();
  const actions = usePromptActions();
  const [used, setUsed] = useState<Prompt | null>(null);
  const [isManaging, manage] = useDisclosure();
  const known = categories.data ?? [];
  const all = prompts.data ?? [];
  const found = shown(all, shelf, query);
  const colors = new Map(known.map(({ name, color }) => [name, color]));
  const take = (files: File[]) => importFiles(files, readPrompts, sendPart, both.noExport);
  const choose = (next: string) => setParameters((before) => withParameter(before, 'shelf', next === 'all' ? '' : next), { replace: true });
  const error = prompts.error ?? categories.error;
  return (
    <>
      <PageHeader
        title={say.title}
        description={say.about}
        actions={
          <>
            <ImportButton label={say.import} take={take} onDone={() => void actions.refresh()} />
            <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} disabled={all.length === 0} onClick={() => void actions.export()}>
              {say.export}
            </Button>
            <Button variant="default" leftSection={<IconCategory size={16} aria-hidden />} disabled={categories.data === undefined} onClick={manage.open}>
              {say.categories}
            </Button>
            <Button component={Link} to="/prompts/new" leftSection={<IconPlus size={16} aria-hidden />}>
              {say.new}
            </Button>
          </>
        }
      />
      {error !== null && <ErrorNotice error={error} onRetry={() => void Promise.all([prompts.refetch(), categories.refetch()])} />}
      {prompts.data === undefined && error === null && <Loading rows={6} />}
      {prompts.data?.length === 0 && (
        <EmptyState
          icon={IconQuote}
          title={say.empty.title}
          text={say.empty.text}
          action={
            <Button component={Link} to="/prompts/new">
              {say.new}
            </Button>
          }
        />
      )}
      {all.length > 0 && (
        <>
          <Group mb="sm">
            <TextInput
              aria-label={say.search}
              placeholder={say.searchHint}
              leftSection={<IconSearch size={16} aria-hidden />}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              type="search"
              style={{ flex: '1 1 16rem' }}
            />
          </Group>
          <Shelves shelf={shelf} prompts={all} categories={allCategories(known, all)} onChange={choose} />
          {found.length === 0 ? (
            <EmptyState
              icon={IconSearch}
              title={say.noneFound.title}
              text={say.noneFound.text}
              action={<Button variant="default" component={Link} to="/prompts">{say.noneFound.action}</Button>}
            />
          ) : (
            <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="sm" component="ul" m={0} p={0} style={{ listStyle: 'none' }}>
              {found.map((prompt) => (
                <PromptCard key={prompt.id} prompt={prompt} color={colors.get(prompt.category) ?? 'gray'} actions={actions} onUse={() => setUsed(prompt)} />
              ))}
            </SimpleGrid>
          )}
        </>
      )}
      <FillDialog prompt={used} onClose={() => setUsed(null)} />
      <CategoriesDialog isOpen={isManaging} categories={known} onClose={manage.close} />
    </>
  );
}

interface PromptFile {
  prompts: unknown[];
  categories: unknown[];
}

/** A file with its categories, which are sent with the prompts. */
function readPrompts(text: string): PromptFile[] | null {
  const prompts = itemsOf(text, 'prompts', (value) => 'text' in value && 'name' in value);
  if (prompts === null) return null;
  const file = JSON.parse(text) as { categories?: unknown };
  return [{ prompts, categories: Array.isArray(file.categories) ? (file.categories as unknown[]) : [] }];
}

async function sendPart(files: unknown[]) {
  const answers = await Promise.all((files as PromptFile[]).map(({ prompts, categories }) => importPrompts(prompts, categories)));
  return { imported: answers.flatMap(({ imported }) => imported), refused: answers.flatMap(({ refused }) => refused) };
}
