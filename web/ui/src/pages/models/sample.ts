/** Conversations to try a chat template with: the body of a chat request without its model. */

const TOOL = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const TURNS = [
  { role: 'system', content: 'You are helpful.' },
  { role: 'user', content: 'Hello!' },
  { role: 'assistant', content: 'Hi. What can I do for you?' },
  { role: 'user', content: 'Tell me a joke.' },
];
const CALL = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city": "Oslo"}' } };

const made = (body: object) => JSON.stringify(body, null, 2);

export const EXAMPLES = {
  plain: made({ messages: TURNS }),
  tools: made({
    messages: [
      { role: 'user', content: 'How is the weather in Oslo?' },
      { role: 'assistant', content: '', tool_calls: [CALL] },
      { role: 'tool', tool_call_id: 'call_1', content: '{"temperature": 12}' },
    ],
    tools: [TOOL],
  }),
  thinking: made({ messages: TURNS.slice(1), enable_thinking: false }),
} as const;

export type SampleFault = { kind: 'json'; message: string } | { kind: 'messages' };

/** The body, or why it is none. The server sees to the rest. */
export function readSample(text: string): { body: Record<string, unknown> | null; fault: SampleFault | null } {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    return { body: null, fault: { kind: 'json', message: error instanceof Error ? error.message : String(error) } };
  }
  if (Array.isArray(found)) return { body: { messages: found }, fault: null };
  if (typeof found !== 'object' || found === null || !Array.isArray((found as { messages?: unknown }).messages)) return { body: null, fault: { kind: 'messages' } };
  return { body: found as Record<string, unknown>, fault: null };
}
