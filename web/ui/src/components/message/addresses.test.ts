import { describe, expect, it } from 'vitest';
import { isHere, safeLink } from './addresses';

const ORIGIN = 'http://localhost:8080';

describe('addresses', () => {
  it.each([
    ['data:image/png;base64,AAAA', true],
    ['data:audio/wav;base64,AAAA', true],
    ['data:text/html,<script>', false],
    ['blob:http://localhost:8080/1', true],
    ['/v1/files/1/content', true],
    ['http://localhost:8080/x.png', true],
    ['https://elsewhere.example/x.png?q=secret', false],
    ['//elsewhere.example/x.png', false],
    ['http://', false],
  ])('%s is here: %s', (address, here) => {
    expect(isHere(address, ORIGIN)).toBe(here);
  });

  it.each([
    ['https://example.org', 'https://example.org'],
    ['mailto:a@example.org', 'mailto:a@example.org'],
    ['#part', '#part'],
    ['javascript:alert(1)', ''],
    [' JavaScript:alert(1)', ''],
    ['data:text/html,x', ''],
  ])('%s leads to %s', (address, link) => {
    expect(safeLink(address)).toBe(link);
  });
});
