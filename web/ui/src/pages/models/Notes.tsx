import { Button, Group, Input, Rating, Stack, Text, Textarea } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { call, modelPath } from '@/api/http';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { tellDone } from '@/components/notices';
import { Section } from '@/components/Section';
import { useModelsTexts } from './texts';

interface Note {
  rating: number | null;
  note: string;
}

/** What I think of the model; nobody else sees it. */
export function Notes({ model }: { model: string }) {
  const path = `/api/v1/notes/${modelPath(model)}`;
  const { data, error, refetch } = useQuery({
    queryKey: ['notes', model],
    queryFn: ({ signal }) => call<Note>(path, { signal }),
    refetchOnWindowFocus: false,
  });
  if (error !== null && data === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading rows={3} />;
  return <Form key={model} model={model} path={path} known={data} />;
}

function Form({ model, path, known }: { model: string; path: string; known: Note }) {
  const say = useModelsTexts().notes;
  const queries = useQueryClient();
  const [rating, setRating] = useState(known.rating);
  const [note, setNote] = useState(known.note);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const isChanged = rating !== known.rating || note !== known.note;
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      await call(path, { method: 'PUT', body: { rating, note } });
      await queries.invalidateQueries({ queryKey: ['notes'] });
      tellDone(say.saved);
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Section title={say.title}>
      <form onSubmit={save}>
        <Stack>
          <Text size="sm" c="dimmed">
            {say.text}
          </Text>
          <Input.Wrapper label={say.rating} labelElement="div">
            <Group gap="xs">
              <Rating value={rating ?? 0} onChange={(value) => setRating(value === 0 ? null : value)} size="lg" getSymbolLabel={(value) => say.stars(value)} aria-label={say.rating} />
              {rating !== null && (
                <Button size="compact-xs" variant="subtle" onClick={() => setRating(null)}>
                  {say.clear}
                </Button>
              )}
            </Group>
          </Input.Wrapper>
          <Textarea label={say.note} placeholder={say.placeholder(model)} value={note} onChange={(event) => setNote(event.currentTarget.value)} autosize minRows={4} maxRows={20} maxLength={20_000} />
          {failure !== null && <ErrorNotice error={failure} />}
          <Group>
            <Button type="submit" loading={isBusy} disabled={!isChanged}>
              {say.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
