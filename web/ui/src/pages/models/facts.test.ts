import { describe, expect, it } from 'vitest';
import { entriesOf, originKind, settingsOf, tensorsOf, tokensOf, written } from './facts';

describe('facts of a file', () => {
  it.each([
    [null, '–'],
    [8192, '8,192'],
    [0.1, '0.1'],
    [true, '✓'],
    [false, '✗'],
    ['f16', 'f16'],
    [[], '–'],
    [['a', 2], 'a, 2'],
    [{ temperature: 0.5 }, '{"temperature":0.5}'],
    [{}, '–'],
  ])('%j is written %s', (value, said) => {
    expect(written(value)).toBe(said);
  });

  it('are told apart from its tables', () => {
    const file = { layers: 5, tensor_types: { q8_0: { tensors: 3, bytes: 9 } }, special_tokens: { eos: { id: 2, text: '</s>' } } };
    expect(entriesOf(file)).toEqual([['layers', 5]]);
    expect(tensorsOf(file)).toEqual([{ kind: 'q8_0', tensors: 3, size: 9 }]);
    expect(tokensOf(file)).toEqual([{ name: 'eos', id: 2, text: '</s>' }]);
    expect(tensorsOf({})).toEqual([]);
  });

  it.each([
    ['default', 'default'],
    ['catalog', 'catalog'],
    ['preset coding', 'preset'],
    ['file models.yaml:12', 'file'],
    ['environment', 'other'],
  ])('the origin %s is of the kind %s', (origin, kind) => {
    expect(originKind(origin)).toBe(kind);
  });

  it('are found by their words, and by who set them', () => {
    const config = { n_batch: 2048, ttl: '10m' };
    const origins = { n_batch: 'default', ttl: 'file m.yaml:3' };
    expect(settingsOf(config, origins, 'BATCH', false).map(({ key }) => key)).toEqual(['n_batch']);
    expect(settingsOf(config, origins, '', true).map(({ key }) => key)).toEqual(['ttl']);
    expect(settingsOf(config, origins, 'm.yaml', false)).toHaveLength(1);
  });
});
