import { Group, Progress, Stack, Text, UnstyledButton } from '@mantine/core';
import { type KeyboardEvent, useRef, useState } from 'react';
import { figure, percent } from '@/text/format';
import { texts } from '@/text/texts';
import classes from './Message.module.css';
import { alternatives, LEAST, perplexity, share, SURENESS, sureness, type TokenProbability, visible } from './probability';

const useWords = texts({
  en: {
    tokens: 'Tokens by their probability; the arrow keys go from one to the next',
    hint: 'Point at a token, or go to it by the arrow keys, to see what else could have been there.',
    from: (share: string) => `from ${share}`,
    below: (share: string) => `below ${share}`,
    perplexity: (value: string) => `Perplexity ${value}`,
    place: (index: number, count: number) => `Token ${index} of ${count}`,
    chosen: 'chosen',
    none: 'This answer has no log-probabilities. Ask for them in the settings before the next one.',
  },
  de: {
    tokens: 'Token nach ihrer Wahrscheinlichkeit; die Pfeiltasten gehen von einem zum nächsten',
    hint: 'Zeige auf ein Token, oder geh mit den Pfeiltasten hin, um zu sehen, was dort sonst noch hätte stehen können.',
    from: (share: string) => `ab ${share}`,
    below: (share: string) => `unter ${share}`,
    perplexity: (value: string) => `Perplexität ${value}`,
    place: (index: number, count: number) => `Token ${index} von ${count}`,
    chosen: 'gewählt',
    none: 'Diese Antwort hat keine Log-Wahrscheinlichkeiten. Stelle sie vor der nächsten in den Einstellungen an.',
  },
});

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10, Home: -Infinity, End: Infinity };

/** An answer's tokens, coloured by how sure the model was, with what else could have been at the chosen one. */
export default function Logprobs({ tokens }: { tokens: readonly TokenProbability[] }) {
  const say = useWords();
  const [chosen, setChosen] = useState(0);
  const [isAsked, setAsked] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  if (tokens.length === 0) return <Text size="sm">{say.none}</Text>;
  const show = (index: number) => {
    setChosen(index);
    setAsked(true);
  };
  const move = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(tokens.length - 1, Math.max(0, chosen + step));
    list.current?.querySelectorAll('button')[next]?.focus();
  };
  const token = tokens[Math.min(chosen, tokens.length - 1)];
  return (
    <Stack gap="xs">
      <Legend tokens={tokens} />
      <div ref={list} className={classes.tokens} role="group" aria-label={say.tokens} onKeyDown={move}>
        {tokens.map((one, index) => (
          <UnstyledButton
            key={index}
            className={`${classes.token} ${classes[sureness(one.logprob)]}`}
            data-chosen={(isAsked && index === chosen) || undefined}
            tabIndex={index === chosen ? 0 : -1}
            aria-label={`${visible(one.token)} ${percent(share(one.logprob))}`}
            onFocus={() => show(index)}
            onMouseEnter={() => show(index)}
            onClick={() => show(index)}
          >
            {one.token}
          </UnstyledButton>
        ))}
      </div>
      {isAsked && token !== undefined ? <Detail token={token} place={say.place(chosen + 1, tokens.length)} chosen={say.chosen} /> : <Text size="sm">{say.hint}</Text>}
    </Stack>
  );
}

function Legend({ tokens }: { tokens: readonly TokenProbability[] }) {
  const say = useWords();
  return (
    <Group gap="sm" fz="xs">
      {SURENESS.map((name) => (
        <span key={name}>
          <span className={`${classes.swatch} ${classes[name]}`} aria-hidden />
          {name === 'unlikely' ? say.below(percent(LEAST.unsure)) : say.from(percent(LEAST[name]))}
        </span>
      ))}
      <span className="numbers">{say.perplexity(figure(perplexity(tokens), 2))}</span>
    </Group>
  );
}

function Detail({ token, place, chosen }: { token: TokenProbability; place: string; chosen: string }) {
  return (
    <Stack gap={4} aria-live="polite" className="numbers">
      <Text size="xs">{place}</Text>
      {alternatives(token).map((other) => (
        <div key={other.token} className={classes.alternative}>
          <Text size="sm" ff="monospace" truncate fw={other.isChosen ? 700 : 400} title={other.isChosen ? chosen : undefined}>
            {visible(other.token)}
            {other.isChosen && ' ✓'}
          </Text>
          <Progress value={100 * share(other.logprob)} color={other.isChosen ? undefined : 'gray'} aria-label={visible(other.token)} />
          <Text size="sm" ta="right">
            {percent(share(other.logprob), 1)}
          </Text>
        </div>
      ))}
    </Stack>
  );
}
