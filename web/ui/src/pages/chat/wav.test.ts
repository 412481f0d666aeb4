import { expect, test } from 'vitest';
import { wavOf } from './wav';

test('channels become one, within 16 bits', () => {
  const file = wavOf([Float32Array.of(0, 1, 2), Float32Array.of(0, -1, 2)], 16_000);
  const view = new DataView(file);
  expect(new TextDecoder().decode(file.slice(0, 4))).toBe('RIFF');
  expect(view.getUint32(4, true)).toBe(file.byteLength - 8);
  expect(view.getUint32(24, true)).toBe(16_000);
  expect([0, 1, 2].map((at) => view.getInt16(44 + 2 * at, true))).toEqual([0, 0, 32_767]);
});
