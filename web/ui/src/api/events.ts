import { createParser } from 'eventsource-parser';
import { type Call, send } from './http';

export interface ServerEvent {
  /** 'message' where the server names none. */
  event: string;
  data: string;
}

/** The server-sent events of an answer, until it ends; throws ApiError when there is no good answer. */
export async function* events(path: string, options: Call = {}): AsyncGenerator<ServerEvent> {
  const answer = await send(path, { ...options, headers: { Accept: 'text/event-stream', ...options.headers } });
  yield* eventsOf(answer);
}

/** The server-sent events in the body of `answer`; comments, which are signs of life, go to `onComment`. */
export async function* eventsOf(answer: Response, onComment?: (text: string) => void): AsyncGenerator<ServerEvent> {
  if (answer.body === null) return;
  const waiting: ServerEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => waiting.push({ event: event ?? 'message', data }),
    ...(onComment && { onComment }),
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (value !== undefined) parser.feed(value);
      yield* waiting.splice(0);
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
