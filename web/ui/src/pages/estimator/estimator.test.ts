import { describe, expect, it } from 'vitest';
import type { Estimate } from './api';
import { barsOf } from './bar';
import { EMPTY, faultsOf, fieldOf, type Form, formOf, gpusOf, questionOf, searchOf } from './question';

const asked = (change: Partial<Form>) => questionOf({ ...EMPTY, model: 'Tiny', ...change });

describe('the question', () => {
  it.each<[string, Partial<Form>, object | null]>([
    ['a model here', {}, { model: 'Tiny', config: {} }],
    ['one of the hub', { from: 'hub', model: ' o/r:Q4 ' }, { source: 'o/r:Q4', config: {} }],
    ['no model', { model: ' ' }, null],
    ['settings', { context: '4096', slots: '2', cacheK: 'q8_0' }, { model: 'Tiny', config: { context_window: 4096, n_seq_max: 2, cache_type_k: 'q8_0' } }],
    ['all layers', { gpuLayers: 'all' }, { model: 'Tiny', config: { n_gpu_layers: 'all' } }],
    ['some layers', { gpuLayers: '12' }, { model: 'Tiny', config: { n_gpu_layers: 12 } }],
    ['0 layers, which configurations take for all', { gpuLayers: '0' }, null],
    ['another machine', { machine: 'other', gpus: '24GiB, 8GiB' }, { model: 'Tiny', config: {}, machine: { memory: '32GiB', gpus: ['24GiB', '8GiB'] } }],
    ['without a GPU', { machine: 'other', gpus: '' }, { model: 'Tiny', config: {}, machine: { memory: '32GiB', gpus: [] } }],
    ['something wrong', { context: '8k' }, null],
  ])('%s', (_, change, question) => expect(asked(change)).toEqual(question));

  it.each<[Partial<Form>, object]>([
    [{ context: 'many' }, { context: 'count' }],
    [{ gpuLayers: '-1' }, { gpuLayers: 'layers' }],
    [{ machine: 'other', memory: 'much' }, { memory: 'size' }],
    [{ machine: 'other', gpus: '24GiB, big' }, { gpus: 'size' }],
    [{ machine: 'own', memory: 'much' }, {}],
  ])('%j has its faults named', (change, faults) => expect(faultsOf({ ...EMPTY, ...change })).toEqual(faults));

  it('is the same after a reload of the page', () => {
    const form: Form = { ...EMPTY, from: 'hub', model: 'o/r', slots: '3', machine: 'other', gpus: '' };
    expect(formOf(new URLSearchParams(searchOf(form)))).toEqual(form);
    expect(searchOf(EMPTY)).toEqual({});
  });

  it.each([
    ['', []],
    ['0', []],
    ['24GiB; 8', ['24GiB', '8']],
  ])('%j are GPUs', (text, gpus) => expect(gpusOf(text)).toEqual(gpus));

  it.each([
    ['config.n_seq_max', 'slots'],
    ['source', 'model'],
    ['machine.gpus[1]', 'gpus'],
    ['other', null],
    [null, null],
  ])('%s belongs to the field %s', (param, field) => expect(fieldOf(param)).toBe(field));
});

describe('the bars', () => {
  const device = { device: 'host', total_bytes: 1000, budget_bytes: 900, held_bytes: 300, idle_bytes: 100 };
  const part = (name: string, bytes: number, where = 'host') => ({ part: name, kind: null, devices: { [where]: bytes }, bytes });
  const estimate = (parts: object[], aside: number): Estimate =>
    ({ parts, set_aside: { devices: { host: aside } }, machine: { devices: [device, { ...device, device: 'gpu0', held_bytes: 0, idle_bytes: 0 }] } }) as unknown as Estimate;

  it('have their parts in order, and what other models keep', () => {
    const [bar] = barsOf(estimate([part('process', 5), part('weights', 100), part('scratch', 10), part('outputs', 2), part('kv', 50)], 200));
    expect(bar?.parts).toEqual([
      { kind: 'weights', bytes: 100 },
      { kind: 'kv', bytes: 50 },
      { kind: 'compute', bytes: 12 },
      { kind: 'overhead', bytes: 5 },
      { kind: 'prefixes', bytes: 33 },
    ]);
    expect(bar).toMatchObject({ needed: 200, held: 200, scale: 900, isOver: false });
  });

  it('leave out devices that nobody uses', () => {
    expect(barsOf(estimate([part('weights', 100)], 100)).map((bar) => bar.device)).toEqual(['host']);
    expect(barsOf(estimate([part('weights', 100, 'gpu0')], 0)).map((bar) => bar.device)).toEqual(['host', 'gpu0']);
  });

  it('are over where more is needed than there is, kept prefixes aside', () => {
    expect(barsOf(estimate([part('weights', 701)], 701))[0]).toMatchObject({ isOver: true, scale: 901 });
    expect(barsOf(estimate([part('weights', 700)], 800))[0]).toMatchObject({ isOver: false, scale: 1000 });
  });
});
