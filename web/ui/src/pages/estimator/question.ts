/** What is asked of the estimator: kept in the address, sent to the server. */

export interface Form {
  /** Whether the model is one that is here, or one of the hub. */
  from: 'here' | 'hub';
  model: string;
  context: string;
  slots: string;
  cacheK: string;
  cacheV: string;
  gpuLayers: string;
  cpuMoe: string;
  flash: string;
  /** Whose memory: the server's own, or what is typed in. */
  machine: 'own' | 'other';
  memory: string;
  /** Sizes, with commas between. */
  gpus: string;
}

export const EMPTY: Form = {
  from: 'here', model: '', context: '', slots: '', cacheK: '', cacheV: '', gpuLayers: '', cpuMoe: '', flash: '', machine: 'own', memory: '32GiB', gpus: '24GiB',
};

export interface Question {
  model?: string;
  source?: string;
  config: Record<string, string | number>;
  machine?: { memory: string; gpus: string[] };
}

export function formOf(search: URLSearchParams): Form {
  const found = Object.fromEntries((Object.keys(EMPTY) as (keyof Form)[]).map((key) => [key, search.get(key) ?? EMPTY[key]])) as unknown as Form;
  return { ...found, from: found.from === 'hub' ? 'hub' : 'here', machine: found.machine === 'other' ? 'other' : 'own' };
}

export function searchOf(form: Form): Record<string, string> {
  return Object.fromEntries(Object.entries(form).filter(([key, value]) => value !== EMPTY[key as keyof Form]));
}

type Fault = 'count' | 'size' | 'layers' | 'hub';
export type Faults = Partial<Record<keyof Form, Fault>>;

const SIZE = /^\s*\d+(\.\d+)?\s*([kmgt]i?)?b?\s*$/i;
const COUNT = /^\s*\d{1,9}\s*$/;

export function faultsOf(form: Form): Faults {
  const faults: Faults = {};
  for (const key of ['context', 'slots', 'cpuMoe'] as const) {
    if (form[key].trim() !== '' && !COUNT.test(form[key])) faults[key] = 'count';
  }
  if (form.gpuLayers.trim() !== '' && !/^\s*([1-9]\d{0,4}|all|none)\s*$/.test(form.gpuLayers)) faults.gpuLayers = 'layers';
  if (form.machine === 'other') {
    if (!SIZE.test(form.memory)) faults.memory = 'size';
    if (!gpusOf(form.gpus).every((size) => SIZE.test(size))) faults.gpus = 'size';
  }
  return faults;
}

export function gpusOf(text: string): string[] {
  return text.split(/[,;]/).map((size) => size.trim()).filter((size) => size !== '' && size !== '0');
}

/** Null as long as there is nothing to ask, or something is wrong with it. */
export function questionOf(form: Form): Question | null {
  if (form.model.trim() === '' || Object.keys(faultsOf(form)).length > 0) return null;
  const count = (text: string) => (text.trim() === '' ? undefined : Number(text));
  const layers = form.gpuLayers.trim();
  const config: Record<string, string | number | undefined> = {
    context_window: count(form.context),
    n_seq_max: count(form.slots),
    cache_type_k: form.cacheK || undefined,
    cache_type_v: form.cacheV || undefined,
    n_gpu_layers: layers === '' ? undefined : /^\d+$/.test(layers) ? Number(layers) : layers,
    n_cpu_moe: count(form.cpuMoe),
    flash_attention: form.flash || undefined,
  };
  const given = Object.fromEntries(Object.entries(config).filter((entry): entry is [string, string | number] => entry[1] !== undefined));
  const wanted = form.model.trim();
  return {
    ...(form.from === 'here' ? { model: wanted } : { source: wanted }),
    config: given,
    ...(form.machine === 'own' ? {} : { machine: { memory: form.memory.trim(), gpus: gpusOf(form.gpus) } }),
  };
}

/** Which field of the form an error of the server's is about. */
export function fieldOf(param: string | null): keyof Form | null {
  const known: Record<string, keyof Form> = {
    model: 'model', source: 'model', 'config.context_window': 'context', 'config.n_seq_max': 'slots', 'config.cache_type_k': 'cacheK', 'config.cache_type_v': 'cacheV',
    'config.n_gpu_layers': 'gpuLayers', 'config.n_cpu_moe': 'cpuMoe', 'config.flash_attention': 'flash', 'machine.memory': 'memory',
  };
  if (param?.startsWith('machine.gpus')) return 'gpus';
  return known[param ?? ''] ?? null;
}
