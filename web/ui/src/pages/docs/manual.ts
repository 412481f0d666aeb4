/** The chapters of the manual, as they lie in the project's docs/, loaded when they are opened. */

const FILES = import.meta.glob<string>('../../../../../docs/*.md', { query: '?raw', import: 'default' });

export interface Chapter {
  name: string;
  title: string;
}

/** In the order in which one needs them. */
export const CHAPTERS: readonly Chapter[] = [
  { name: 'ui', title: 'The browser UI' },
  { name: 'models', title: 'Models' },
  { name: 'catalog', title: 'The catalog' },
  { name: 'clients', title: 'Clients' },
  { name: 'model-config', title: 'Keys of a model’s configuration' },
  { name: 'sampling', title: 'Sampling parameters' },
  { name: 'sizing', title: 'How much memory a model takes' },
  { name: 'libraries', title: 'Builds of llama.cpp' },
  { name: 'api', title: 'The API' },
  { name: 'anthropic', title: 'Anthropic’s API' },
  { name: 'ollama', title: 'Ollama’s API' },
  { name: 'responses', title: 'Responses' },
  { name: 'batches', title: 'Files and batches' },
  { name: 'media', title: 'Images and sound' },
  { name: 'operations', title: 'Running Kronk' },
  { name: 'workers', title: 'Workers on other hosts' },
  { name: 'observability', title: 'Observability' },
  { name: 'access', title: 'Who may do what' },
  { name: 'policies', title: 'Policies' },
  { name: 'security', title: 'Hostile models' },
];

/** The command line's page, which is as long as all others. */
export const COMMANDS = 'cli';

/** Names of all pages there are, in no order. */
export const NAMES = Object.keys(FILES).map(nameOf);

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -'.md'.length);
}

/** The Markdown of a page, without its title; null when there is no such page. */
export async function read(name: string): Promise<string | null> {
  const found = Object.entries(FILES).find(([path]) => nameOf(path) === name);
  if (found === undefined) return null;
  return (await found[1]()).replace(/^# .*\n+/, '');
}
