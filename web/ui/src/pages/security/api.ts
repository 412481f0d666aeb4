import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { call } from '@/api/http';
import type { TokenWish } from './wish';

const BASE = '/v1/kronk/security';

export interface Limit {
  limit: number;
  window: 'day' | 'month' | 'year' | 'unlimited';
}

export interface Token {
  subject: string;
  name: string | null;
  admin: boolean;
  state: 'good' | 'expired' | 'revoked' | 'without key';
  key: string;
  issued: number;
  expires: number;
  issued_by: string;
  endpoints: Record<string, Limit>;
  models: string[] | null;
  tokens: Limit | null;
  concurrency: number | null;
}

export interface Key {
  id: string;
  created: number;
}

export interface Overview {
  mode: 'open' | 'management' | 'authenticated' | 'protected';
  auth_host: string | null;
  policy: string;
  policy_problem: string | null;
  tls: boolean;
  issuer: string;
  keys_folder: string;
  keys_folder_fault: string | null;
  admin_token_fault: string | null;
  keys: number;
  tokens: number;
  revocations: number;
}

export interface Inspection {
  good: boolean;
  reason: string | null;
  key: string | null;
  claims: Record<string, unknown> | null;
}

interface Amounts {
  calls: number;
  prompt_tokens: number;
  completion_tokens: number;
}

export interface UsageRow {
  subject: string;
  name: string | null;
  endpoint: string;
  day: Amounts;
  month: Amounts;
  year: Amounts;
}

export interface Usage {
  day: string;
  month: string;
  year: string;
  data: UsageRow[];
  has_more: boolean;
}

export interface AuditEntry {
  action: string;
  route: string | null;
  target: string | null;
  subject: string | null;
  name: string | null;
  via: string | null;
  client: string | null;
  result: 'done' | 'refused' | 'failed';
  status: number | null;
  code: string | null;
  request_id: string | null;
  suppressed: number;
  /** ISO 8601. */
  time: string;
  id: string;
}

interface Page<T> {
  data: T[];
  has_more: boolean;
}

const AUDIT_PAGE = 50;
const TOKENS_KEY = ['security', 'tokens'] as const;
const KEYS_KEY = ['security', 'keys'] as const;
export const keysOf = { tokens: TOKENS_KEY, keys: KEYS_KEY };

export const useOverview = () => useQuery({ queryKey: ['security', 'overview'], queryFn: ({ signal }) => call<Overview>(BASE, { signal }) });

export const useTokens = () => useQuery({ queryKey: TOKENS_KEY, queryFn: ({ signal }) => call<Page<Token>>(`${BASE}/tokens`, { signal }).then(({ data }) => data) });

export const useKeys = () => useQuery({ queryKey: KEYS_KEY, queryFn: ({ signal }) => call<Page<Key>>(`${BASE}/keys`, { signal }).then(({ data }) => data) });

export const useUsage = () => useQuery({ queryKey: ['security', 'usage'], queryFn: ({ signal }) => call<Usage>(`${BASE}/usage`, { signal }), refetchInterval: 15_000 });

export const useAudit = () =>
  useInfiniteQuery({
    queryKey: ['security', 'audit'],
    queryFn: ({ signal, pageParam }) => call<Page<AuditEntry>>(`${BASE}/audit`, { query: { limit: AUDIT_PAGE, after: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (page) => (page.has_more ? (page.data.at(-1)?.id ?? null) : null),
  });

export const createToken = (wish: TokenWish) => call<Token & { token: string }>(`${BASE}/tokens`, { method: 'POST', body: wish });

export const inspectToken = (token: string) => call<Inspection>(`${BASE}/tokens/inspect`, { method: 'POST', body: { token } });

export const revokeSubject = (subject: string, reason: string) => call<unknown>(`${BASE}/tokens/revoke`, { method: 'POST', body: { subject, ...(reason === '' ? {} : { reason }) } });

export const createKey = () => call<Key>(`${BASE}/keys`, { method: 'POST' });

export const deleteKey = (id: string) => call<unknown>(`${BASE}/keys/${encodeURIComponent(id)}`, { method: 'DELETE' });

export const changePassword = (password: string | null) =>
  call<{ password: string | null }>(`${BASE}/password`, { method: 'POST', body: password === null ? {} : { password } });
