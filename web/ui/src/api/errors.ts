/** An answer that says what went wrong, or that there was none. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** HTTP's status; 0 when no answer came. */
    readonly status: number,
    /** The server's word for it, like `model_not_found`; `unreachable` when no answer came. */
    readonly code: string,
    /** The field that is wrong, where one is. */
    readonly param: string | null = null,
    readonly requestId: string | null = null,
    /** Seconds after which it may work, where that is known. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The error that an answer of `status` with this body tells of. */
export function errorOf(status: number, body: unknown, headers: Headers): ApiError {
  const found = fieldOf(body, 'error') ?? body;
  const text = (key: string) => {
    const value = fieldOf(found, key);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const message = typeof found === 'string' ? found : (text('message') ?? `The server answered ${status}.`);
  const wait = Number(headers.get('retry-after') ?? Number.NaN);
  return new ApiError(
    message,
    status,
    text('code') ?? text('type') ?? `http_${status}`,
    text('param'),
    headers.get('x-request-id'),
    Number.isFinite(wait) ? wait : null,
  );
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** Whether `error` is the end of something that was stopped on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
