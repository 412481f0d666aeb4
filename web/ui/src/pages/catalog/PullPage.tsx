import { Alert, Anchor, Badge, Code, Group, Loader, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconArrowLeft, IconLock, IconPhoto } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { type Choice, type Plan, planQuery } from '@/api/catalog';
import { ApiError } from '@/api/errors';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { useLive } from '@/live/store';
import { Fit } from '@/models/Fit';
import { bytes } from '@/text/format';
import { guess, isSource, repositoryOf } from './browse';
import { FileTable } from './FileTable';
import { PullPanel } from './PullButton';
import { useCatalogTexts } from './texts';

/** Fetch by name or address: what it means is shown while one types. */
export function PullPage() {
  const say = useCatalogTexts();
  const [query, setQuery] = useSearchParams();
  const [text, setText] = useState(query.get('source') ?? '');
  const [typed] = useDebouncedValue(text.trim(), 500);
  const source = isSource(typed) ? typed : '';
  // The address says what is looked at, so that a reload shows it again.
  useEffect(() => {
    setQuery(typed === '' ? {} : { source: typed }, { replace: true });
  }, [typed, setQuery]);
  const { data, error, isFetching, isPlaceholderData } = useQuery(planQuery(source));
  const isOld = isPlaceholderData || text.trim() !== typed;
  return (
    <>
      <Anchor component={Link} to="/catalog" size="sm" mb="xs" display="inline-block">
        <IconArrowLeft size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> {say.title}
      </Anchor>
      <PageHeader title={say.byName} description={say.byNameText} />
      <Stack>
        <TextInput
          label={say.source}
          description={say.sourceHelp}
          placeholder="owner/repo, owner/repo:Q4_K_M, https://…"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          rightSection={isFetching ? <Loader size="xs" aria-label={say.resolving} /> : null}
          error={error instanceof ApiError && error.status === 400 && source !== '' ? error.message : undefined}
          autoComplete="off"
          spellCheck={false}
          maxLength={2000}
        />
        {source === '' ? (
          <Examples onPick={setText} />
        ) : error !== null ? (
          !(error instanceof ApiError && error.status === 400) && <ErrorNotice error={error} title={say.cannotResolve} />
        ) : (
          data !== undefined && <Resolved key={data.wanted} plan={data} isOld={isOld} onChoose={setText} />
        )}
      </Stack>
    </>
  );
}

function Examples({ onPick }: { onPick: (source: string) => void }) {
  const say = useCatalogTexts();
  return (
    <Section title={say.examples}>
      <Stack gap={6}>
        {(['Qwen/Qwen3-0.6B-GGUF', 'Qwen/Qwen3-8B-GGUF:Q4_K_M', 'Qwen3-8B-Q8_0'] as const).map((one, at) => (
          <Group key={one} gap="xs">
            <Anchor component="button" type="button" onClick={() => onPick(one)}>
              <Code>{one}</Code>
            </Anchor>
            <Text size="sm">{[say.exampleRepo, say.exampleQuant, say.exampleId][at]}</Text>
          </Group>
        ))}
        <Text size="sm">{say.exampleUrl}</Text>
      </Stack>
    </Section>
  );
}

function Resolved({ plan, isOld, onChoose }: { plan: Plan; isOld: boolean; onChoose: (source: string) => void }) {
  const say = useCatalogTexts();
  const pulled = plan.files.every((file) => file.here === 'same' || file.here === 'unverified');
  const inTheWay = plan.files.filter((file) => file.here === 'different');
  const first = plan.files[0];
  return (
    <Stack style={{ opacity: isOld ? 0.5 : 1 }} aria-busy={isOld}>
      {plan.choices.length > 1 && <Choices choices={plan.choices} onChoose={onChoose} />}
      <Section title={plan.model}>
        <Stack gap="sm">
          {plan.gated !== null && (
            <Alert color="orange" icon={<IconLock size={18} aria-hidden />}>
              {say.gated}
            </Alert>
          )}
          {inTheWay.length > 0 && <Alert color="red">{say.inTheWay(inTheWay.map((file) => file.path).join(', '))}</Alert>}
          {!isOld && first !== undefined && !first.source.startsWith('pypi:') && <Fit asked={{ source: first.source }} />}
          <Facts
            rows={[
              [say.size, plan.size_bytes === null ? null : bytes(plan.size_bytes)],
              [say.licence, plan.licence],
              [say.revision, plan.revision?.slice(0, 12)],
              [say.folder, plan.folder],
            ]}
          />
          <div>
            <PullPanel wanted={plan.wanted} model={plan.model} pulled={pulled} size={plan.size_bytes === null ? null : bytes(plan.size_bytes)} />
          </div>
        </Stack>
      </Section>
      <Section title={say.files}>
        <FileTable files={plan.files} />
      </Section>
    </Stack>
  );
}

function Choices({ choices, onChoose }: { choices: readonly Choice[]; onChoose: (source: string) => void }) {
  const say = useCatalogTexts();
  const budgets = useLive().state?.budgets;
  const budget = budgets === undefined ? null : Math.max(...budgets.map((one) => one.budget_bytes), 0);
  const chosen = choices.find((choice) => choice.chosen)?.source ?? null;
  return (
    <Section title={say.quants(repositoryOf(choices[0]?.source ?? ''))}>
      <Radio.Group value={chosen} onChange={onChoose} aria-label={say.quantisation}>
        <Stack gap={4}>
          {choices.map((choice) => {
            const guessed = guess(choice.size_bytes, budget);
            return (
              <Radio.Card key={choice.source} value={choice.source} p="xs" aria-label={`${choice.quant}, ${bytes(choice.size_bytes)}`}>
                <Group gap="sm" wrap="nowrap">
                  <Radio.Indicator />
                  <Text fw={500} size="sm" style={{ flex: 1 }} className="breakable">
                    {choice.quant}
                  </Text>
                  {choice.projector && <IconPhoto size={16} role="img" aria-label={say.withProjector} />}
                  <Text size="sm" className="numbers" style={{ whiteSpace: 'nowrap' }}>
                    {bytes(choice.size_bytes)}
                  </Text>
                  {guessed !== 'unknown' && (
                    <Badge variant="light" color={{ fits: 'teal', tight: 'orange', too_large: 'red' }[guessed]} tt="none" autoContrast style={{ flex: 'none' }}>
                      {say.guesses[guessed]}
                    </Badge>
                  )}
                </Group>
              </Radio.Card>
            );
          })}
        </Stack>
      </Radio.Group>
    </Section>
  );
}
