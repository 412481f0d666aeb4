import { afterEach, describe, expect, it } from 'vitest';
import { ago, bytes, figure, percent, plain, seconds, writeFiguresIn } from './format';

describe('figures', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KiB'],
    [98_300_000, '93.7 MiB'],
    [748_683_264, '714 MiB'],
    [4_509_715_660, '4.2 GiB'],
    [-2048, '-2.0 KiB'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('writes %s bytes as %s', (value, said) => {
    expect(bytes(value)).toBe(said);
  });

  it.each([
    [0, '0 ms'],
    [0.0123, '12 ms'],
    [0.9996, '1.0 s'],
    [4.21, '4.2 s'],
    [59.96, '1 min'],
    [185, '3 min 5 s'],
    [7800, '2 h 10 min'],
    [273_600, '3 d 4 h'],
    [undefined, '–'],
  ])('writes %s seconds as %s', (value, said) => {
    expect(seconds(value)).toBe(said);
  });

  it('groups thousands and keeps the digits asked for', () => {
    expect(figure(12_345)).toBe('12,345');
    expect(figure(31.32, 1)).toBe('31.3');
    expect(percent(0.125, 1)).toBe('12.5 %');
    expect(ago(100, 90)).toBe('1.0 s');
  });

  describe('in German', () => {
    afterEach(() => writeFiguresIn('en'));

    it('have a comma, and points between the thousands', () => {
      writeFiguresIn('de');
      expect(figure(12_345)).toBe('12.345');
      expect(figure(31.32, 1)).toBe('31,3');
      expect(plain(0.00001)).toBe('0,00001');
      expect(percent(0.125, 1)).toBe('12,5 %');
      expect(bytes(98_300_000)).toBe('93,7 MiB');
      expect(seconds(4.21)).toBe('4,2 s');
    });
  });
});
