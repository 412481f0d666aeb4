import type { Limits, Order, Plan, Run } from './api';
import { requestsOf } from './figures';

export const CUSTOM = 'custom';
/** What a prompt has beside its shared prefix at least. */
const LEAST_OWN = 32;
const MOST_PROMPT = 1_000_000;

export interface Form {
  model: string;
  /** A preset's name, or `custom`. */
  preset: string;
  promptSizes: string;
  concurrency: string;
  maxTokens: number | string;
  sharedPrefix: number | string;
  repetitions: number | string;
  warmUp: number | string;
  cold: boolean;
  isElsewhere: boolean;
  baseUrl: string;
  /** What the other server calls its model. */
  otherModel: string;
  apiKey: string;
}

export type Field = Exclude<keyof Form, 'isElsewhere' | 'cold' | 'preset'>;
export type Problems = Partial<Record<Field, string>>;

/** Words for what may be wrong. */
export interface Words {
  needed: string;
  numbers: string;
  count: (most: number) => string;
  between: (least: number, most: number) => string;
  requests: (found: number, most: number) => string;
  url: string;
  blanks: string;
}

/** The server's names of fields. */
const PARAMS: Record<string, Field> = {
  model: 'model',
  prompt_sizes: 'promptSizes',
  concurrency: 'concurrency',
  max_tokens: 'maxTokens',
  shared_prefix: 'sharedPrefix',
  repetitions: 'repetitions',
  warm_up: 'warmUp',
  base_url: 'baseUrl',
  api_key: 'apiKey',
};

/** The numbers of `128, 512`, each once; null where there is anything else. */
export function numbers(text: string): number[] | null {
  const words = text.split(/[\s,;]+/).filter((word) => word !== '');
  if (words.length === 0 || !words.every((word) => /^\d{1,9}$/.test(word))) return null;
  return [...new Set(words.map(Number))];
}

/** The fields of a form that say what `plan` says. */
export function fieldsOf(plan: Plan): Pick<Form, 'promptSizes' | 'concurrency' | 'maxTokens' | 'sharedPrefix' | 'repetitions' | 'warmUp'> {
  return {
    promptSizes: plan.prompt_sizes.join(', '),
    concurrency: plan.concurrency.join(', '),
    maxTokens: plan.max_tokens,
    sharedPrefix: plan.shared_prefix,
    repetitions: plan.repetitions,
    warmUp: plan.warm_up,
  };
}

/** A form that asks for the same as `run` did; its key is known to nobody any more. */
export function formOf(run: Run): Partial<Form> {
  return {
    ...fieldsOf(run.plan),
    preset: run.preset ?? CUSTOM,
    cold: run.cold,
    isElsewhere: run.url !== null,
    ...(run.url === null ? { model: run.model } : { otherModel: run.model, baseUrl: run.url }),
  };
}

/** The plan of the fields; null where they say none. */
export function planOf(form: Form): Plan | null {
  const sizes = numbers(form.promptSizes);
  const streams = numbers(form.concurrency);
  const others = [form.maxTokens, form.sharedPrefix, form.repetitions, form.warmUp];
  if (sizes === null || streams === null || !others.every((value) => typeof value === 'number' && Number.isInteger(value))) return null;
  return {
    prompt_sizes: sizes,
    concurrency: streams,
    max_tokens: Number(form.maxTokens),
    shared_prefix: Number(form.sharedPrefix),
    repetitions: Number(form.repetitions),
    warm_up: Number(form.warmUp),
  };
}

/** What is wrong with the form, by field; the server looks again. */
export function check(form: Form, limits: Limits, say: Words): Problems {
  const found: Problems = form.isElsewhere ? checkServer(form, say) : form.model === '' ? { model: say.needed } : {};
  return form.preset === CUSTOM ? { ...found, ...checkPlan(form, limits, say) } : found;
}

function checkServer(form: Form, say: Words): Problems {
  const found: Problems = {};
  if (form.otherModel.trim() === '') found.otherModel = say.needed;
  if (form.baseUrl.trim() === '') found.baseUrl = say.needed;
  else if (!/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/i.test(form.baseUrl.trim())) found.baseUrl = say.url;
  if (/\s/.test(form.apiKey.trim())) found.apiKey = say.blanks;
  return found;
}

function checkPlan(form: Form, limits: Limits, say: Words): Problems {
  const sizes = numbers(form.promptSizes);
  const streams = numbers(form.concurrency);
  const found: Problems = {};
  const put = (field: Field, problem: string | null) => {
    if (problem !== null) found[field] = problem;
  };
  put('promptSizes', ofNumbers(sizes, LEAST_OWN, MOST_PROMPT, limits, say));
  put('concurrency', ofNumbers(streams, 1, limits.concurrency, limits, say));
  put('maxTokens', ofNumber(form.maxTokens, 2, limits.max_tokens, say));
  put('repetitions', ofNumber(form.repetitions, 1, limits.rounds, say));
  put('warmUp', ofNumber(form.warmUp, 0, limits.rounds, say));
  put('sharedPrefix', ofNumber(form.sharedPrefix, 0, sizes === null ? MOST_PROMPT : Math.max(Math.min(...sizes) - LEAST_OWN, 0), say));
  const plan = planOf(form);
  if (plan !== null && Object.keys(found).length === 0 && requestsOf(plan) > limits.requests) {
    found.repetitions = say.requests(requestsOf(plan), limits.requests);
  }
  return found;
}

function ofNumbers(values: number[] | null, least: number, most: number, limits: Limits, say: Words): string | null {
  if (values === null) return say.numbers;
  if (values.length > limits.values) return say.count(limits.values);
  return values.every((value) => value >= least && value <= most) ? null : say.between(least, most);
}

function ofNumber(value: number | string, least: number, most: number, say: Words): string | null {
  const isGood = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
  return isGood ? null : say.between(least, most);
}

/** What is sent for a form that is in order. */
export function orderOf(form: Form): Order {
  const where = form.isElsewhere
    ? { model: form.otherModel.trim(), base_url: form.baseUrl.trim(), ...(form.apiKey.trim() === '' ? {} : { api_key: form.apiKey.trim() }) }
    : { model: form.model };
  const what = form.preset === CUSTOM ? planOf(form) : { preset: form.preset };
  return { ...where, ...what, ...(form.cold ? { cold: true } : {}) };
}

/** The field that the server names. */
export function fieldOf(param: string | null, form: Form): Field | null {
  const name = param?.replace(/\[\d+\]$/, '') ?? '';
  const field = PARAMS[name] ?? null;
  return field === 'model' && form.isElsewhere ? 'otherModel' : field;
}
