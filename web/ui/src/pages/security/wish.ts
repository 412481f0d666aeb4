/** A token as the form has it, and as the API takes it. */

export const ENDPOINTS = [
  'chat-completions', 'completions', 'responses', 'messages', 'embeddings', 'rerank', 'audio', 'tokenize', 'batches', 'monitoring', 'delegation',
] as const;
export type Endpoint = (typeof ENDPOINTS)[number];
export const WINDOWS = ['unlimited', 'day', 'month', 'year'] as const;
export type Window = (typeof WINDOWS)[number];

export interface Grant {
  isGranted: boolean;
  window: Window;
  limit: string;
}

export interface TokenForm {
  name: string;
  /** A number and its unit. */
  duration: string;
  unit: 'h' | 'd';
  isAdmin: boolean;
  endpoints: Record<Endpoint, Grant>;
  /** Empty for all. */
  models: string[];
  tokens: string;
  tokensWindow: Exclude<Window, 'unlimited'>;
  concurrency: string;
}

export interface TokenWish {
  duration: string;
  name?: string;
  admin?: true;
  endpoints?: string[];
  models?: string[];
  tokens?: string;
  concurrency?: number;
}

const NONE: Grant = { isGranted: false, window: 'unlimited', limit: '' };

export const EMPTY: TokenForm = {
  name: '', duration: '30', unit: 'd', isAdmin: false,
  endpoints: Object.fromEntries(ENDPOINTS.map((name) => [name, name === 'chat-completions' ? { ...NONE, isGranted: true } : NONE])) as Record<Endpoint, Grant>,
  models: [], tokens: '', tokensWindow: 'day', concurrency: '',
};

export type Faults = Partial<Record<'name' | 'duration' | 'endpoints' | 'tokens' | 'concurrency' | Endpoint, 'count' | 'duration' | 'none' | 'name'>>;

const isCount = (text: string) => /^\d{1,15}$/.test(text.trim());

export function faultsOf(form: TokenForm): Faults {
  const faults: Faults = {};
  if (!/^\d{1,6}(\.\d+)?$/.test(form.duration.trim()) || Number(form.duration) <= 0) faults.duration = 'duration';
  if (form.name.length > 100) faults.name = 'name';
  if (form.isAdmin) return faults;
  const granted = ENDPOINTS.filter((name) => form.endpoints[name].isGranted);
  if (granted.length === 0) faults.endpoints = 'none';
  for (const name of granted) {
    const grant = form.endpoints[name];
    if (grant.window !== 'unlimited' && !isCount(grant.limit)) faults[name] = 'count';
  }
  if (form.tokens.trim() !== '' && !isCount(form.tokens)) faults.tokens = 'count';
  if (form.concurrency.trim() !== '' && (!isCount(form.concurrency) || Number(form.concurrency) === 0)) faults.concurrency = 'count';
  return faults;
}

/** As the API takes it; only for a form without faults. */
export function wishOf(form: TokenForm): TokenWish {
  const duration = form.unit === 'd' ? `${Number(form.duration) * 24}h` : `${form.duration.trim()}h`;
  const name = form.name.trim();
  const base = { duration, ...(name === '' ? {} : { name }) };
  if (form.isAdmin) return { ...base, admin: true };
  const endpoints = ENDPOINTS.filter((each) => form.endpoints[each].isGranted).map((each) => {
    const { window, limit } = form.endpoints[each];
    return window === 'unlimited' ? each : `${each}:${Number(limit)}/${window}`;
  });
  return {
    ...base,
    endpoints,
    ...(form.models.length === 0 ? {} : { models: form.models }),
    ...(form.tokens.trim() === '' ? {} : { tokens: `${Number(form.tokens)}/${form.tokensWindow}` }),
    ...(form.concurrency.trim() === '' ? {} : { concurrency: Number(form.concurrency) }),
  };
}
