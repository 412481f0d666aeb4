import { settingsOf, type ChatSettings, type ToolChoice } from '@/chat/settings';
import { requestBody } from '@/chat/request';
import { type Message, nodeOf } from '@/chat/thread';
import { faultsOf } from './faults';
import { EXAMPLES } from './examples';
import { schemaOf, type ToolDraft } from './schema';

/** What is asked, and with which functions. */
export interface Setup {
  tools: ToolDraft[];
  prompt: string;
  settings: ChatSettings;
  /** `function:` and a name for that one alone. */
  choice: string;
  isParallel: boolean;
  limit: number;
}

export const MOST_STEPS = 20;

export function usualSetup(): Setup {
  return { tools: [EXAMPLES.weather()], prompt: '', settings: settingsOf({ max_tokens: 512 }), choice: 'auto', isParallel: true, limit: 6 };
}

/** What was stored, as far as it is what we store. */
export function setupOf(found: unknown): Setup {
  const usual = usualSetup();
  if (typeof found !== 'object' || found === null) return usual;
  const stored = found as Partial<Setup>;
  return {
    tools: Array.isArray(stored.tools) ? stored.tools : usual.tools,
    prompt: typeof stored.prompt === 'string' ? stored.prompt : '',
    settings: settingsOf({ ...stored.settings }),
    choice: typeof stored.choice === 'string' ? stored.choice : usual.choice,
    isParallel: stored.isParallel !== false,
    limit: typeof stored.limit === 'number' && stored.limit >= 1 && stored.limit <= MOST_STEPS ? stored.limit : usual.limit,
  };
}

/** The functions that are offered. */
export function offered({ tools }: Setup): ToolDraft[] {
  return tools.filter((tool) => tool.isOn);
}

/** A choice that the functions allow: one that names a function that is gone leaves it to the model. */
export function choiceOf(setup: Setup): ToolChoice {
  const { choice } = setup;
  if (choice === 'none' || choice === 'required') return choice;
  const name = /^function:(.*)$/.exec(choice)?.[1];
  return name !== undefined && offered(setup).some((tool) => tool.name === name) ? { type: 'function', function: { name } } : 'auto';
}

/** Why it cannot be run; null where it can. */
export function faultOf(setup: Setup): 'model' | 'prompt' | 'functions' | null {
  if (setup.settings.model === '') return 'model';
  if (setup.prompt.trim() === '') return 'prompt';
  const isFaulty = (tool: ToolDraft) => Object.keys(faultsOf(tool, namesBeside(setup.tools, tool))).length > 0;
  return offered(setup).some(isFaulty) ? 'functions' : null;
}

export function namesBeside(tools: readonly ToolDraft[], tool: ToolDraft): string[] {
  return tools.filter((other) => other.key !== tool.key).map((other) => other.name);
}

/** The request that asks for what follows `messages`. */
export function requestOf(setup: Setup, messages: readonly Message[]): Record<string, unknown> {
  const tools = offered(setup).map(schemaOf);
  const nodes = messages.map((message) => nodeOf(message, null));
  const choice = choiceOf(setup);
  // A demand holds for the first answer only: it would be called for ever.
  const isFirst = !messages.some(({ role }) => role === 'tool');
  const body = requestBody(nodes, { ...setup.settings, tools, tool_choice: isFirst || choice === 'none' ? choice : 'auto' });
  return tools.length === 0 || setup.isParallel ? body : { ...body, parallel_tool_calls: false };
}
