import { call } from '@/api/http';

export interface User {
  subject: string;
  name: string | null;
  admin: boolean;
  /** 'session' is the browser's login, 'token' a token, 'open' a server without authentication. */
  via: string;
}

/** What the server says of who asks. */
export interface Session {
  mode: string;
  /** Whether there is something to log in for. */
  login: boolean;
  user: User | null;
  /** Unix seconds at which the login ends. */
  expires: number | null;
}

export const fetchSession = (signal?: AbortSignal) => call<Session>('/v1/kronk/session', signal ? { signal } : {});

export const logIn = (password: string) => call<Session>('/v1/kronk/login', { method: 'POST', body: { password } });

export const logOut = () => call<Session>('/v1/kronk/logout', { method: 'POST' });

/** What a page asks of who looks at it. */
export type Need = 'nobody' | 'user' | 'admin';

/** Whether `session` may see what needs `need`; the server decides again at each request. */
export function mayUse(session: Session, need: Need): boolean {
  if (!session.login || need === 'nobody') return true;
  if (need === 'admin') return session.user?.admin === true;
  return session.user !== null || session.mode === 'management';
}
