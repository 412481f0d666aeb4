import { Badge, Group, Text, Tooltip } from '@mantine/core';
import { figure, seconds } from '@/text/format';
import { texts } from '@/text/texts';

const useWords = texts({
  en: {
    speed: (value: string) => `${value} tokens/s`,
    first: (value: string) => `first token after ${value}`,
    tokens: (prompt: string, answer: string) => `${prompt} → ${answer} tokens`,
    tokensHint: (cached: string) => `Tokens of the prompt, of which ${cached} were cached, and of the answer.`,
    total: (value: string) => `${value} in all`,
    ends: { length: 'cut off by the limit of tokens', content_filter: 'filtered', stopped: 'stopped', tool_calls: 'calls tools', error: 'failed' },
  },
  de: {
    speed: (value: string) => `${value} Token/s`,
    first: (value: string) => `erstes Token nach ${value}`,
    tokens: (prompt: string, answer: string) => `${prompt} → ${answer} Token`,
    tokensHint: (cached: string) => `Token des Prompts, davon ${cached} aus dem Cache, und der Antwort.`,
    total: (value: string) => `${value} insgesamt`,
    ends: { length: 'vom Tokenlimit abgeschnitten', content_filter: 'gefiltert', stopped: 'angehalten', tool_calls: 'ruft Werkzeuge', error: 'gescheitert' },
  },
});

/** What an answer took; null for what is not known. */
export interface FooterStats {
  prompt_tokens: number | null;
  cached_tokens: number | null;
  completion_tokens: number | null;
  /** Seconds to the first token. */
  ttft: number | null;
  seconds: number;
  tokens_per_second: number | null;
}

interface Props {
  model?: string | undefined;
  stats?: FooterStats | undefined;
  finish?: string | undefined;
}

/** In one line below an answer: who gave it, how fast, of how many tokens, and why it ended where that is worth a word. */
export function MessageFooter({ model, stats, finish }: Props) {
  const say = useWords();
  const ends: Readonly<Record<string, string>> = say.ends;
  const end = finish === undefined || finish === 'stop' ? undefined : (ends[finish] ?? finish);
  return (
    <Group gap="4px 12px" className="numbers" fz="xs" c="dimmed">
      {model !== undefined && model !== '' && (
        <Text size="xs" className="breakable">
          {model}
        </Text>
      )}
      {stats !== undefined && <Figures stats={stats} />}
      {end !== undefined && (
        <Badge size="sm" variant="default" tt="none" fw={500}>
          {end}
        </Badge>
      )}
    </Group>
  );
}

function Figures({ stats }: { stats: FooterStats }) {
  const say = useWords();
  const { tokens_per_second: speed, ttft, prompt_tokens: prompt, completion_tokens: answer, cached_tokens: cached } = stats;
  return (
    <>
      {speed !== null && <span>{say.speed(figure(speed, 1))}</span>}
      {ttft !== null && <span>{say.first(seconds(ttft))}</span>}
      {answer !== null && (
        <Tooltip label={say.tokensHint(figure(cached ?? 0))}>
          <span>{say.tokens(figure(prompt), figure(answer))}</span>
        </Tooltip>
      )}
      <span>{say.total(seconds(stats.seconds))}</span>
    </>
  );
}
