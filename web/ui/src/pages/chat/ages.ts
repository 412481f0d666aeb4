export type Age = 'today' | 'yesterday' | 'week' | 'older';

const DAY = 86_400;

/** Rows by when they were last changed, in the reader's own days; `now` in Unix seconds. */
export function byAge<R extends { updated: number }>(rows: readonly R[], now: number): { age: Age; members: R[] }[] {
  const midnight = new Date(now * 1000).setHours(0, 0, 0, 0) / 1000;
  const groups: { age: Age; members: R[] }[] = [];
  for (const row of rows) {
    const age = ageOf(row.updated, midnight);
    const last = groups.at(-1);
    if (last?.age === age) last.members.push(row);
    else groups.push({ age, members: [row] });
  }
  return groups;
}

function ageOf(updated: number, midnight: number): Age {
  if (updated >= midnight) return 'today';
  if (updated >= midnight - DAY) return 'yesterday';
  return updated >= midnight - 7 * DAY ? 'week' : 'older';
}
