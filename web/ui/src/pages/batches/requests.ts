import type { Parsed, Problem, Source } from './sources';

export const ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** The server's own bound. */
export const MOST_LINES = 50_000;

export interface Settings {
  endpoint: Endpoint;
  model: string;
  system: string;
  /** '' leaves it to the server. */
  maxTokens: number | string;
  temperature: number | string;
}

/** A line of a batch. */
export interface Request {
  custom_id: string;
  method: 'POST';
  url: string;
  body: Record<string, unknown>;
}

export interface Prepared {
  requests: { line: number; request: Request }[];
  problems: Problem[];
}

/** Whether an endpoint writes text: only then is there a system prompt, and a length. */
export const writes = (endpoint: Endpoint) => endpoint !== '/v1/embeddings';

/** The requests that a batch sends; what is wrong comes with its line, and nothing is sent then. */
export function prepare({ items, problems }: Parsed, settings: Settings): Prepared {
  const found: Problem[] = [...problems];
  if (items.length > MOST_LINES) found.push({ line: null, kind: 'many', detail: String(items.length) });
  const width = String(items.length).length;
  const taken = new Set(items.flatMap(({ customId }) => (customId === null ? [] : [customId])));
  const seen = new Map<string, number>();
  const requests = items.map((item, at) => {
    const customId = item.customId ?? unusedId(`request-${String(at + 1).padStart(width, '0')}`, taken);
    const before = seen.get(customId);
    if (before !== undefined) found.push({ line: item.line, kind: 'duplicate', detail: `${customId} (${before})` });
    seen.set(customId, item.line);
    const request: Request = { custom_id: customId, method: 'POST', url: settings.endpoint, body: bodyOf(item, settings) };
    found.push(...wrongWith(item, request, settings));
    return { line: item.line, request };
  });
  if (requests.some(({ request }) => request.body.model === undefined || request.body.model === '')) found.push({ line: null, kind: 'model', detail: '' });
  const models = new Set(requests.map(({ request }) => request.body.model).filter((model) => typeof model === 'string' && model !== ''));
  if (models.size > 1) found.push({ line: null, kind: 'models', detail: [...models].slice(0, 4).join(', ') });
  return { requests, problems: found };
}

function unusedId(name: string, taken: ReadonlySet<string>): string {
  let id = name;
  for (let count = 2; taken.has(id); count += 1) id = `${name}-${count}`;
  return id;
}

function bodyOf({ prompt, body }: Source, settings: Settings): Record<string, unknown> {
  if (body !== null) return 'model' in body || settings.model === '' ? body : { model: settings.model, ...body };
  const text = prompt ?? '';
  const { endpoint, model } = settings;
  const system = settings.system.trim();
  switch (endpoint) {
    case '/v1/chat/completions': {
      const messages = [...(system === '' ? [] : [{ role: 'system', content: system }]), { role: 'user', content: text }];
      return { model, messages, ...sampling(settings, 'max_tokens') };
    }
    case '/v1/completions':
      return { model, prompt: system === '' ? text : `${system}\n\n${text}`, ...sampling(settings, 'max_tokens') };
    case '/v1/responses':
      return { model, input: text, ...(system === '' ? {} : { instructions: system }), ...sampling(settings, 'max_output_tokens') };
    case '/v1/embeddings':
      return { model, input: text };
  }
}

function sampling({ maxTokens, temperature }: Settings, limit: string): Record<string, number> {
  return {
    ...(typeof maxTokens === 'number' ? { [limit]: maxTokens } : {}),
    ...(typeof temperature === 'number' ? { temperature } : {}),
  };
}

function wrongWith({ line, url, body }: Source, request: Request, { endpoint }: Settings): Problem[] {
  const found: Problem[] = [];
  if (url !== null && url !== endpoint) found.push({ line, kind: 'url', detail: url });
  if (body !== null && url === null && 'messages' in body && endpoint !== '/v1/chat/completions') found.push({ line, kind: 'messages', detail: endpoint });
  const { model } = request.body;
  // None at all is one problem of the form, and not one of each line.
  if (model !== undefined && typeof model !== 'string') found.push({ line, kind: 'model', detail: '' });
  return found;
}

/** What is uploaded. */
export const linesOf = (requests: readonly Request[]) => requests.map((request) => `${JSON.stringify(request)}\n`).join('');

/** The endpoint that requests of a file name, where it is one. */
export function endpointIn(items: readonly Source[]): Endpoint | null {
  const url = items.find((item) => item.url !== null)?.url;
  return ENDPOINTS.find((endpoint) => endpoint === url) ?? null;
}

/** What of a request a person reads first. */
export function promptOf(body: Record<string, unknown>): string {
  const { messages, prompt, input } = body;
  if (Array.isArray(messages)) {
    const last: unknown = messages.at(-1);
    return textOf(typeof last === 'object' && last !== null && 'content' in last ? last.content : last);
  }
  return textOf(input ?? prompt ?? body);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) {
    const parts = value.map((part: unknown) => (typeof part === 'object' && part !== null && 'text' in part ? String(part.text) : typeof part === 'string' ? part : ''));
    if (parts.some((part) => part !== '')) return parts.filter((part) => part !== '').join(' ');
  }
  return value === undefined ? '' : JSON.stringify(value);
}
