/** Every sampler that Kronk takes, as `docs/sampling.md` has them; `samplingTexts.ts` explains each. */

export type SamplerKind = 'float' | 'int' | 'bool' | 'strings' | 'bias';
export type SamplerGroup = 'usual' | 'penalties' | 'dry' | 'xtc' | 'mirostat' | 'dynamic' | 'rare' | 'ends';
export type SamplerValue = number | boolean | string[] | Record<string, number>;

export interface Sampler {
  kind: SamplerKind;
  group: SamplerGroup;
  /** What numbers may be; of a map, its values. */
  least: number;
  most: number;
  /** What holds where nobody says anything; null for none. */
  usual: SamplerValue | null;
  /** The difference that a click on an arrow makes. */
  step: number;
}

const LARGEST_INT = 2 ** 31 - 1;

const float = (group: SamplerGroup, usual: number, least: number, most: number, step = 0.05): Sampler => ({ kind: 'float', group, least, most, usual, step });
const int = (group: SamplerGroup, usual: number | null, least: number, most: number, step = 1): Sampler => ({ kind: 'int', group, least, most, usual, step });

export const SAMPLERS = {
  temperature: float('usual', 0.8, 0, 2),
  top_k: int('usual', 40, 0, 1_000_000, 5),
  top_p: float('usual', 0.9, 0, 1),
  min_p: float('usual', 0, 0, 1, 0.01),
  seed: int('usual', null, -(2 ** 63), 2 ** 64 - 1),
  repeat_penalty: float('penalties', 1, 0.01, 10),
  repeat_last_n: int('penalties', 64, -1, LARGEST_INT, 16),
  frequency_penalty: float('penalties', 0, -2, 2),
  presence_penalty: float('penalties', 0, -2, 2),
  dry_multiplier: float('dry', 0, 0, 100, 0.1),
  dry_base: float('dry', 1.75, 1, 10),
  dry_allowed_length: int('dry', 2, 1, LARGEST_INT),
  dry_penalty_last_n: int('dry', -1, -1, LARGEST_INT, 64),
  dry_sequence_breakers: { kind: 'strings', group: 'dry', least: 0, most: 0, usual: ['\n', ':', '"', '*'], step: 1 },
  xtc_probability: float('xtc', 0, 0, 1),
  xtc_threshold: float('xtc', 0.1, 0, 1),
  mirostat: int('mirostat', 0, 0, 2),
  mirostat_tau: float('mirostat', 5, 0, 100, 0.5),
  mirostat_eta: float('mirostat', 0.1, 0, 1),
  dynatemp_range: float('dynamic', 0, 0, 5, 0.1),
  dynatemp_exponent: float('dynamic', 1, 0, 10, 0.1),
  typical_p: float('rare', 1, 0, 1),
  top_n_sigma: float('rare', 0, -1, 100, 0.1),
  min_tokens: int('ends', 0, 0, LARGEST_INT, 10),
  ignore_eos: { kind: 'bool', group: 'ends', least: 0, most: 0, usual: false, step: 1 },
  logit_bias: { kind: 'bias', group: 'ends', least: -100, most: 100, usual: null, step: 1 },
} as const satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof SAMPLERS;
export type Sampling = { [name in SamplerName]?: SamplerValue };

export const GROUPS: readonly SamplerGroup[] = ['usual', 'penalties', 'dry', 'xtc', 'mirostat', 'dynamic', 'rare', 'ends'];

export function isSampler(name: string): name is SamplerName {
  return Object.hasOwn(SAMPLERS, name);
}

export function samplersOf(group: SamplerGroup): SamplerName[] {
  return (Object.keys(SAMPLERS) as SamplerName[]).filter((name) => SAMPLERS[name].group === group);
}

/** `sampling` with `name` set; null takes it out again, so that the model's own holds. */
export function withSampler(sampling: Sampling, name: SamplerName, value: SamplerValue | null): Sampling {
  const others = Object.entries(sampling).filter(([key]) => key !== name);
  return Object.fromEntries(value === null ? others : [...others, [name, value]]);
}

/** A map of token ids to numbers as people write it, `1234: -5, 99: 2`; null where it cannot be read. */
export function parseBias(text: string): Record<string, number> | null {
  const found: Record<string, number> = {};
  for (const entry of text.split(/[,;\n]/).map((part) => part.trim())) {
    if (entry === '') continue;
    const match = /^(\d{1,10})\s*[:=]\s*([+-]?\d+(?:\.\d+)?)$/.exec(entry);
    const value = Number(match?.[2]);
    if (match?.[1] === undefined || !(Math.abs(value) <= SAMPLERS.logit_bias.most)) return null;
    found[match[1]] = value;
  }
  return found;
}

export function biasText(bias: Record<string, number>): string {
  return Object.entries(bias)
    .map(([token, value]) => `${token}: ${value}`)
    .join(', ');
}

/** Texts in one line, with line breaks and tabs as `\n` and `\t`, apart by spaces. */
export function breakersText(breakers: readonly string[]): string {
  return breakers.map((text) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll(' ', '\\s')).join(' ');
}

export function parseBreakers(text: string): string[] {
  const meant: Record<string, string> = { '\\\\': '\\', '\\n': '\n', '\\t': '\t', '\\s': ' ' };
  return text
    .split(/\s+/)
    .filter((part) => part !== '')
    .map((part) => part.replace(/\\[\\nts]/g, (mark) => meant[mark] ?? mark));
}
