import { describe, expect, it } from 'vitest';
import { curlOf, quoted } from './curl';

describe('a request as a command', () => {
  it.each([
    ['http://localhost:8080/v1', 'http://localhost:8080/v1'],
    ['', "''"],
    ['a b', "'a b'"],
    ['$HOME', "'$HOME'"],
    ["it's", "'it'\\''s'"],
  ])('%s is the word %s', (text, word) => {
    expect(quoted(text)).toBe(word);
  });

  it('names the token and does not write it', () => {
    const command = curlOf({ url: 'http://localhost:8080/v1/chat/completions', body: { prompt: "it's" }, needsToken: true });
    expect(command.split(' \\\n  ')).toEqual([
      'curl http://localhost:8080/v1/chat/completions',
      "-H 'Content-Type: application/json'",
      '-H "Authorization: Bearer $KRONK_TOKEN"',
      `-d '{\n  "prompt": "it'\\''s"\n}'`,
    ]);
  });

  it('leaves the token out where none is wanted', () => {
    expect(curlOf({ url: 'http://x/', body: {}, needsToken: false })).not.toContain('Authorization');
  });
});
