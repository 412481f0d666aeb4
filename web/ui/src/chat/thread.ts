/** A conversation as it is stored: a tree of messages, one path of which is looked at. */

export type Role = 'system' | 'user' | 'assistant' | 'tool';

export interface TextPart {
  type: 'text';
  text: string;
}

export interface ImagePart {
  type: 'image_url';
  /** Of what a user attaches a `data:` URL. */
  image_url: { url: string };
}

export interface AudioPart {
  type: 'input_audio';
  /** Base64. */
  input_audio: { data: string; format: string };
}

export type Part = TextPart | ImagePart | AudioPart;
export type Content = string | Part[];

export interface ToolCall {
  id: string;
  type: 'function';
  /** The arguments are JSON, as far as the model wrote it. */
  function: { name: string; arguments: string };
}

export interface TokenLogprob {
  token: string;
  logprob: number;
  bytes: number[] | null;
  top_logprobs: { token: string; logprob: number; bytes: number[] | null }[];
}

/** What an answer took. Seconds are as this browser measured them. */
export interface Stats {
  prompt_tokens: number | null;
  cached_tokens: number | null;
  completion_tokens: number | null;
  reasoning_tokens: number | null;
  /** Seconds to the first token, of thinking or of the answer. */
  ttft: number | null;
  seconds: number;
  thinking_seconds: number | null;
  /** By the server where it says so, else measured here. */
  tokens_per_second: number | null;
  queued_ms: number | null;
  prefill_ms: number | null;
  decode_ms: number | null;
}

export interface MessageError {
  message: string;
  code: string;
}

export interface Message {
  role: Role;
  content: Content;
  reasoning?: string;
  tool_calls?: ToolCall[];
  /** Of a tool's message: the call that it answers. */
  tool_call_id?: string;
  model?: string;
  stats?: Stats;
  logprobs?: TokenLogprob[];
  /** OpenAI's, or `stopped` where the user ended it. */
  finish_reason?: string;
  error?: MessageError;
}

export interface Node extends Message {
  id: string;
  parent: string | null;
  /** Unix seconds. */
  created: number;
}

export interface Document<S = Record<string, unknown>> {
  version: 1;
  /** The last message of the path that is looked at. */
  head: string | null;
  nodes: Record<string, Node>;
  settings: S;
}

export function emptyDocument<S>(settings: S): Document<S> {
  return { version: 1, head: null, nodes: {}, settings };
}

export function newId(): string {
  return `msg_${crypto.getRandomValues(new Uint32Array(3)).reduce((text, part) => text + part.toString(36).padStart(7, '0'), '')}`;
}

/** `message` as a node below `parent`. */
export function nodeOf(message: Message, parent: string | null, id = newId(), created = Date.now() / 1000): Node {
  return { ...message, id, parent, created };
}

/** The messages from the first to `end`, which is the head unless it is said. */
export function pathOf(document: Document<unknown>, end = document.head): Node[] {
  const path: Node[] = [];
  const seen = new Set<string>();
  for (let id = end; id !== null && !seen.has(id); ) {
    const node: Node | undefined = document.nodes[id];
    if (node === undefined) break;
    seen.add(id);
    path.push(node);
    id = node.parent;
  }
  return path.reverse();
}

/** The messages that follow `parent` at once, the oldest first. */
export function childrenOf(document: Document<unknown>, parent: string | null): Node[] {
  return Object.values(document.nodes)
    .filter((node) => node.parent === parent)
    .sort((one, other) => one.created - other.created);
}

/** `id` and the messages that stand in its place in other branches, the oldest first. */
export function siblingsOf(document: Document<unknown>, id: string): Node[] {
  const node = document.nodes[id];
  return node === undefined ? [] : childrenOf(document, node.parent);
}

/** The end of the newest branch through `id`. */
export function leafOf(document: Document<unknown>, id: string): string {
  const newest = childrenOf(document, id).at(-1);
  return newest === undefined ? id : leafOf(document, newest.id);
}

/** With `node` put in, which is then looked at. */
export function withNode<S>(document: Document<S>, node: Node): Document<S> {
  return { ...document, nodes: { ...document.nodes, [node.id]: node }, head: node.id };
}

/** With `message` at the end of the path that is looked at. */
export function append<S>(document: Document<S>, message: Message): Document<S> {
  return withNode(document, nodeOf(message, document.head));
}

/** With another branch that has `message` in the place of `id`. */
export function beside<S>(document: Document<S>, id: string, message: Message): Document<S> {
  const node = document.nodes[id];
  return node === undefined ? document : withNode(document, nodeOf(message, node.parent));
}

/** Looking at the newest branch through `id`. */
export function select<S>(document: Document<S>, id: string): Document<S> {
  return { ...document, head: leafOf(document, id) };
}

/** Looking at the path that ends with `id`, to go on from there; what follows it stays. */
export function branchAt<S>(document: Document<S>, id: string | null): Document<S> {
  return { ...document, head: id };
}

/** With some of a message changed in its place. */
export function patch<S>(document: Document<S>, id: string, change: Partial<Message>): Document<S> {
  const node = document.nodes[id];
  return node === undefined ? document : { ...document, nodes: { ...document.nodes, [id]: { ...node, ...change } } };
}

/** Without `id` and all that follows it; the newest message beside it is looked at instead, else the one before. */
export function without<S>(document: Document<S>, id: string): Document<S> {
  const node = document.nodes[id];
  if (node === undefined) return document;
  const gone = new Set([id]);
  const visit = (parent: string) => {
    for (const child of childrenOf(document, parent)) {
      gone.add(child.id);
      visit(child.id);
    }
  };
  visit(id);
  const left = { ...document, nodes: Object.fromEntries(Object.entries(document.nodes).filter(([key]) => !gone.has(key))) };
  if (document.head !== null && !gone.has(document.head)) return left;
  const next = childrenOf(left, node.parent).at(-1);
  return { ...left, head: next === undefined ? node.parent : leafOf(left, next.id) };
}

/** The text of a message, without its images and recordings. */
export function textOf(content: Content): string {
  if (typeof content === 'string') return content;
  return content
    .filter((part) => part.type === 'text')
    .map((part) => part.text)
    .join('\n');
}

/** The images and recordings of a message. */
export function mediaOf(content: Content): (ImagePart | AudioPart)[] {
  return typeof content === 'string' ? [] : content.filter((part) => part.type !== 'text');
}

/** A text with what is attached to it; the plain text where that is nothing. */
export function contentOf(text: string, media: readonly (ImagePart | AudioPart)[]): Content {
  if (media.length === 0) return text;
  return text === '' ? [...media] : [...media, { type: 'text', text }];
}
