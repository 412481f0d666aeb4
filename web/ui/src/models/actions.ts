import type { Action } from '@/api/modelFiles';
import type { LiveModel } from '@/live/state';

/** In which nothing of the model runs. */
const RESTING = new Set(['absent', 'backoff', 'failed']);

/** What can be done with a model that is like that; undefined for one of which nothing runs. */
export function actionsOf(row: LiveModel | undefined): Set<Action> {
  const found = new Set<Action>();
  found.add(row?.pinned === true ? 'unpin' : 'pin');
  if (row === undefined || row.state === 'absent') found.add('load');
  else if (!RESTING.has(row.state)) found.add('unload');
  else found.add('load').add('reset');
  return found;
}

/** The states a person asks about: a model that is not in memory has none of its own. */
export function stateOf(row: LiveModel | undefined): string {
  return row === undefined || row.state === 'absent' ? 'unloaded' : row.state;
}

/** Where a model's page is. */
export function pageOf(model: string): string {
  return `/models/${model.split('/').map(encodeURIComponent).join('/')}`;
}
