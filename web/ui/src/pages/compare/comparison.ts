/** One prompt to several models, and what they made of it. */
import { settingsOf, type ChatSettings } from '@/chat/settings';
import type { Answer } from '@/chat/stream';

export const LEAST_MODELS = 2;
export const MOST_MODELS = 4;

/** What is asked; the settings are the same for all. */
export interface Setup {
  prompt: string;
  /** '' where none is chosen yet. */
  models: string[];
  /** At once they share the machine; one after another each has it for itself. */
  order: 'together' | 'in_turn';
  settings: ChatSettings;
}

export interface Column {
  model: string;
  /** null while it waits for its turn. */
  answer: Answer | null;
  /** Milliseconds since 1970 at which it was asked. */
  asked: number | null;
}

export interface Run {
  id: string;
  prompt: string;
  system: string;
  columns: Column[];
}

/** A vote on a run: the place of the best column, or that none was better. */
export interface Vote {
  run: string;
  models: string[];
  best: string | null;
}

export const USUAL_SETUP: Setup = { prompt: '', models: ['', ''], order: 'together', settings: settingsOf({ max_tokens: 512 }) };

/** What was stored, without what it cannot be. */
export function setupOf(found: unknown): Setup {
  if (!isRecord(found)) return USUAL_SETUP;
  const models = textsIn(found.models).slice(0, MOST_MODELS);
  return {
    prompt: typeof found.prompt === 'string' ? found.prompt : '',
    models: [...models, '', ''].slice(0, Math.max(LEAST_MODELS, models.length)),
    order: found.order === 'in_turn' ? 'in_turn' : 'together',
    settings: isRecord(found.settings) ? settingsOf(found.settings) : USUAL_SETUP.settings,
  };
}

/** A run as it was stored; what was on its way when the page was left ends as stopped. */
export function runOf(found: unknown): Run | null {
  if (!isRecord(found) || typeof found.id !== 'string' || !Array.isArray(found.columns)) return null;
  const run = found as unknown as Run;
  return { ...run, columns: run.columns.map((column) => ({ ...column, answer: ended(column.answer) })) };
}

export function isEnded(answer: Answer | null): boolean {
  return answer !== null && ['done', 'stopped', 'failed'].includes(answer.state);
}

function ended(answer: Answer | null): Answer | null {
  return answer === null || isEnded(answer) ? answer : { ...answer, state: 'stopped', finish_reason: 'stopped', standing: null };
}

/** Whether `setup` can be run: as many different models as it has places, and a prompt. */
export function faultOf({ prompt, models }: Setup): 'prompt' | 'models' | 'twice' | null {
  if (models.some((model) => model === '')) return 'models';
  if (new Set(models).size < models.length) return 'twice';
  return prompt.trim() === '' ? 'prompt' : null;
}

export function changed(run: Run, index: number, change: Partial<Column>): Run {
  return { ...run, columns: run.columns.map((column, at) => (at === index ? { ...column, ...change } : column)) };
}

export type Measure = 'speed' | 'ttft' | 'seconds' | 'tokens';

export function measured(answer: Answer | null): Record<Measure, number | null> {
  const stats = answer?.stats;
  return {
    speed: stats?.tokens_per_second ?? null,
    ttft: stats?.ttft ?? null,
    seconds: isEnded(answer) ? (stats?.seconds ?? null) : null,
    tokens: stats?.completion_tokens ?? null,
  };
}

/** The places of the columns that are best by `measure`; none where there is nothing to compare, and none by tokens: more is not better. */
export function bestBy(columns: readonly Column[], measure: Measure): number[] {
  if (measure === 'tokens') return [];
  const sign = measure === 'speed' ? 1 : -1;
  const scores = columns.map(({ answer }) => {
    const value = answer?.state === 'done' ? measured(answer)[measure] : null;
    return value === null ? -Infinity : sign * value;
  });
  const best = Math.max(...scores);
  const places = scores.flatMap((score, place) => (score === best ? [place] : []));
  return Number.isFinite(best) && places.length < columns.length ? places : [];
}

export interface Tally {
  model: string;
  wins: number;
  /** Comparisons it was in and somebody voted on. */
  votes: number;
}

export function tallyOf(votes: readonly Vote[]): Tally[] {
  const rows = new Map<string, Tally>();
  for (const { models, best } of votes) {
    for (const model of models) {
      const row = rows.get(model) ?? { model, wins: 0, votes: 0 };
      rows.set(model, { ...row, votes: row.votes + 1, wins: row.wins + (model === best ? 1 : 0) });
    }
  }
  return [...rows.values()].sort((one, other) => other.wins / other.votes - one.wins / one.votes || other.votes - one.votes);
}

export function votesOf(found: unknown): Vote[] {
  if (!Array.isArray(found)) return [];
  return (found as unknown[]).flatMap((row) =>
    isRecord(row) && typeof row.run === 'string' ? [{ run: row.run, models: textsIn(row.models), best: typeof row.best === 'string' ? row.best : null }] : [],
  );
}

/** With the vote on `vote.run` replaced; the oldest are forgotten. */
export function withVote(votes: readonly Vote[], vote: Vote): Vote[] {
  return [...votes.filter(({ run }) => run !== vote.run), vote].slice(-500);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? (value as unknown[]).filter((one) => typeof one === 'string') : [];
}
