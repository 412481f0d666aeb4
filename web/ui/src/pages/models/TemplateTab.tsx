import { Alert, Button, Code, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useDebouncedValue, useLocalStorage } from '@mantine/hooks';
import { IconPlayerPlay, IconTemplate } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '@/api/http';
import { templateQuery } from '@/api/modelFiles';
import { CodeEditor } from '@/components/CodeEditor';
import { CopyButton } from '@/components/CopyButton';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { Section } from '@/components/Section';
import { EXAMPLES, readSample, type SampleFault } from './sample';
import { useModelsTexts } from './texts';

/** The template, and what becomes of a conversation in it while one types. */
export function TemplateTab({ model, isLoaded, talks }: { model: string; isLoaded: boolean; talks: boolean }) {
  const say = useModelsTexts().template;
  const { data, error, refetch } = useQuery(templateQuery(model));
  if (error !== null && data === undefined) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading />;
  if (data.text === '') return <EmptyState icon={IconTemplate} title={say.none} text={data.reason ?? say.noneText} />;
  const fault = data.fault;
  return (
    <Stack>
      <Text size="sm" className="breakable">
        {say.origins[data.origin as keyof typeof say.origins] ?? data.origin}
        {data.path !== null && <> {data.path}</>}
        {data.name !== null && <> ({data.name})</>}
      </Text>
      {fault !== null && (
        <Alert color="red" title={say.fault(fault.line)}>
          {fault.words}
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Section title={say.title} actions={<CopyButton value={data.text} name={say.copy} />}>
          <CodeEditor label={say.title} isLabelHidden value={data.text} maxHeight="40rem" marks={fault === null ? [] : [{ line: fault.line, column: fault.column, message: fault.message }]} />
        </Section>
        {talks ? <Sample model={model} isLoaded={isLoaded} /> : null}
      </SimpleGrid>
    </Stack>
  );
}

function Sample({ model, isLoaded }: { model: string; isLoaded: boolean }) {
  const say = useModelsTexts().template;
  const [text, setText] = useLocalStorage({ key: 'kronk.template.sample', defaultValue: EXAMPLES.plain });
  // Rendering is the model's process's work: one that is not loaded is loaded only when asked to.
  const [isWanted, setWanted] = useState(false);
  const [asked] = useDebouncedValue(text, 350);
  const sample = readSample(asked);
  const { data, error, isFetching } = useQuery({
    queryKey: ['models', 'rendered', model, asked],
    queryFn: ({ signal }) => call<{ prompt: string }>('/v1/apply-template', { method: 'POST', body: { ...sample.body, model }, signal }),
    enabled: sample.body !== null && (isLoaded || isWanted),
    placeholderData: (before) => before,
    staleTime: 60_000,
    retry: false,
  });
  return (
    <Stack>
      <Section title={say.sample}>
        <Group gap="xs" mb="sm">
          <Text size="sm">{say.examples}</Text>
          {(Object.keys(EXAMPLES) as (keyof typeof EXAMPLES)[]).map((name) => (
            <Button key={name} size="compact-xs" variant="default" onClick={() => setText(EXAMPLES[name])}>
              {say.exampleNames[name]}
            </Button>
          ))}
        </Group>
        <CodeEditor label={say.sample} isLabelHidden description={say.sampleHelp} language="json" value={text} onChange={setText} maxHeight="18rem" />
        {sample.fault !== null && (
          <Text size="sm" c="red" role="alert" mt="xs">
            {faultWords(sample.fault, say)}
          </Text>
        )}
      </Section>
      <Section title={say.rendered} actions={data !== undefined && <CopyButton value={data.prompt} name={say.copyPrompt} />}>
        {!isLoaded && !isWanted ? (
          <EmptyState
            as="h3"
            icon={IconTemplate}
            title={say.notLoaded}
            text={say.notLoadedText}
            action={
              <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={() => setWanted(true)}>
                {say.render}
              </Button>
            }
          />
        ) : error !== null ? (
          <ErrorNotice error={error} />
        ) : data === undefined ? (
          sample.body === null ? <Text size="sm">{say.fixFirst}</Text> : <Loading rows={2} />
        ) : (
          <Code block tabIndex={0} aria-label={say.rendered} aria-busy={isFetching} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', maxHeight: '28rem', overflow: 'auto' }}>
            {data.prompt}
          </Code>
        )}
      </Section>
    </Stack>
  );
}

function faultWords(fault: SampleFault, say: ReturnType<typeof useModelsTexts>['template']): string {
  return fault.kind === 'json' ? say.notJson(fault.message) : say.noMessages;
}
