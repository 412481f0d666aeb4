import type { Limit, Token, UsageRow } from './api';

export interface SubjectUsage {
  subject: string;
  name: string | null;
  rows: { endpoint: string; row: UsageRow; limit: Limit | null; used: number; share: number | null }[];
  /** Tokens of all endpoints against the budget, where there is one. */
  budget: { limit: Limit; used: number; share: number } | null;
}

type Window = 'day' | 'month' | 'year';

function isWindow(window: Limit['window']): window is Window {
  return window !== 'unlimited';
}

/** What each subject has used, beside what its newest good token grants. */
export function bySubject(rows: readonly UsageRow[], tokens: readonly Token[]): SubjectUsage[] {
  const subjects = [...new Set(rows.map((row) => row.subject))];
  return subjects.map((subject) => {
    const own = rows.filter((row) => row.subject === subject);
    const token = tokens.filter((one) => one.subject === subject && one.state === 'good').sort((one, other) => other.issued - one.issued)[0];
    return {
      subject,
      name: own.find((row) => row.name !== null)?.name ?? token?.name ?? null,
      rows: own.map((row) => {
        const limit = token?.endpoints[row.endpoint] ?? null;
        const window = limit !== null && isWindow(limit.window) ? limit.window : null;
        const used = row[window ?? 'day'].calls;
        return { endpoint: row.endpoint, row, limit: window === null ? null : limit, used, share: window === null || limit === null ? null : shareOf(used, limit.limit) };
      }),
      budget: budgetOf(own, token),
    };
  });
}

function budgetOf(rows: readonly UsageRow[], token: Token | undefined): SubjectUsage['budget'] {
  const limit = token?.tokens ?? null;
  if (limit === null || !isWindow(limit.window)) return null;
  const window = limit.window;
  const used = rows.reduce((sum, row) => sum + row[window].prompt_tokens + row[window].completion_tokens, 0);
  return { limit, used, share: shareOf(used, limit.limit) };
}

/** From 0 to 1, also of a limit that was exceeded or is 0. */
function shareOf(used: number, limit: number): number {
  return limit <= 0 ? 1 : Math.min(1, used / limit);
}
