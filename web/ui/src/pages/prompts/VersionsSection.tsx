import { Box, Button, Group, Stack, Text } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Prompt, PROMPTS_KEY, type PromptVersion, promptVersions, restorePrompt } from '@/api/prompts';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { tellDone, tellError } from '@/components/notices';
import { Section } from '@/components/Section';
import { moment } from '@/text/format';
import { diffLines } from './diff';
import classes from './VersionsSection.module.css';
import { usePromptsTexts } from './texts';

interface Props {
  prompt: Prompt;
  onRestored: () => void;
}

/** The texts that the prompt had, each compared to the one it has, and brought back. */
export function VersionsSection({ prompt, onRestored }: Props) {
  const say = usePromptsTexts().versions;
  const [open, setOpen] = useState<number | null>(null);
  const { data, error, refetch } = useQuery({
    queryKey: [...PROMPTS_KEY, 'versions', prompt.id, prompt.version],
    queryFn: ({ signal }) => promptVersions(prompt.id, signal),
  });
  return (
    <Section title={say.title}>
      {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Loading rows={2} />}
      {data !== undefined && data.length < 2 && <Text size="sm">{say.only}</Text>}
      {data !== undefined && data.length > 1 && (
        <Stack gap={4} component="ul" m={0} p={0} style={{ listStyle: 'none' }}>
          {data.map((version) => (
            <Row
              key={version.version}
              version={version}
              prompt={prompt}
              isOpen={open === version.version}
              onToggle={() => setOpen(open === version.version ? null : version.version)}
              onRestored={onRestored}
            />
          ))}
        </Stack>
      )}
    </Section>
  );
}

interface RowProps extends Props {
  version: PromptVersion;
  isOpen: boolean;
  onToggle: () => void;
}

function Row({ version, prompt, isOpen, onToggle, onRestored }: RowProps) {
  const say = usePromptsTexts().versions;
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const isCurrent = version.version === prompt.version;
  const restore = async () => {
    setBusy(true);
    try {
      const restored = await restorePrompt(prompt.id, version.version);
      queries.setQueryData([...PROMPTS_KEY, 'one', prompt.id], restored);
      onRestored();
      tellDone(say.restored(version.version));
      await queries.invalidateQueries({ queryKey: PROMPTS_KEY });
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <li>
      <Group gap="xs">
        <Button variant="subtle" size="compact-md" aria-expanded={isOpen} aria-label={say.show(version.version)} onClick={onToggle} leftSection={<IconHistory size={15} aria-hidden />}>
          {say.version(version.version)}
        </Button>
        <Text size="sm" c="dimmed" className="numbers">
          {moment(version.created)}
          {isCurrent && ` · ${say.current}`}
        </Text>
        {!isCurrent && (
          <Button variant="default" size="compact-sm" loading={isBusy} onClick={() => void restore()}>
            {say.restore}
          </Button>
        )}
      </Group>
      {isOpen && <Difference before={version.text} after={prompt.text} label={isCurrent ? say.version(version.version) : say.compared(version.version)} />}
    </li>
  );
}

function Difference({ before, after, label }: { before: string; after: string; label: string }) {
  const say = usePromptsTexts().versions;
  return (
    <Box role="group" aria-label={label} tabIndex={0} className={classes.diff} my="xs">
      {diffLines(before, after).map(({ kind, text }, place) => (
        <div key={place} data-kind={kind} className={classes.line}>
          <span className={classes.sign} role={kind === 'same' ? undefined : 'img'} aria-label={kind === 'same' ? undefined : kind === 'gone' ? say.gone : say.new}>
            {kind === 'same' ? ' ' : kind === 'gone' ? '−' : '+'}
          </span>
          {text}
        </div>
      ))}
    </Box>
  );
}
