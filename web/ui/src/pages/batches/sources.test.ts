import { describe, expect, it } from 'vitest';
import { columnsOf, type CsvChoice, type Format, formatOf, likelyColumn, parse } from './sources';

const NO_CSV: CsvChoice = { column: null, hasHead: true };
const prompts = (format: Format, text: string, csv = NO_CSV) => parse(format, text, csv).items.map((item) => [item.line, item.prompt]);
const problems = (format: Format, text: string, csv = NO_CSV) => parse(format, text, csv).problems.map(({ line, kind }) => [line, kind]);

describe('what a batch is made of', () => {
  it.each<[string, string, Format]>([
    ['a.csv', '', 'csv'],
    ['A.TSV', '', 'csv'],
    ['a.jsonl', '[', 'jsonl'],
    ['a.json', '', 'json'],
    ['a.txt', 'hello', 'text'],
    ['', ' [1]', 'json'],
    ['', '{"a": 1}', 'jsonl'],
  ])('takes %j with %j for %s', (name, text, format) => {
    expect(formatOf(name, text)).toBe(format);
  });

  it('has a prompt in each line of a text', () => {
    expect(prompts('text', '\uFEFFone\r\n\r\n  two \nthree')).toEqual([[1, 'one'], [3, 'two'], [4, 'three']]);
  });

  it('takes a column of a CSV file, and its ids', () => {
    const text = 'custom_id,prompt\r\nfirst,"Say ""hi"",\nplease"\r\nsecond,\r\nthird,Bye\r\n';
    const found = parse('csv', text, { column: 'prompt', hasHead: true });
    expect(found.items.map(({ line, prompt, customId }) => [line, prompt, customId])).toEqual([
      [2, 'Say "hi",\nplease', 'first'],
      [5, 'Bye', 'third'],
    ]);
    expect(found.problems).toEqual([{ line: 4, kind: 'empty', detail: 'prompt' }]);
  });

  it('counts columns that have no names', () => {
    expect(columnsOf('a,b\n1,2', false)).toEqual(['1', '2']);
    expect(prompts('csv', 'a,b\n1,2', { column: '2', hasHead: false })).toEqual([[1, 'b'], [2, '2']]);
    expect(problems('csv', 'a,b', { column: 'c', hasHead: true })).toEqual([[1, 'column']]);
    expect(likelyColumn(['id', 'Prompt'])).toBe('Prompt');
    expect(likelyColumn(['x', 'y'])).toBe('x');
  });

  it('tells where a quote is open', () => {
    expect(problems('csv', 'p\n"a', { column: 'p', hasHead: true })).toEqual([[2, 'quote']]);
  });

  it('reads JSON', () => {
    expect(prompts('json', '["one", {"prompt": "two", "custom_id": "b"}]')).toEqual([[1, 'one'], [2, 'two']]);
    expect(problems('json', '{"a": 1}')).toEqual([[null, 'array']]);
    expect(problems('json', '[')).toEqual([[null, 'json']]);
    expect(problems('json', '[1, "", {"x": 1}, {"prompt": " "}, {"prompt": "a", "custom_id": 3}]')).toEqual([
      [1, 'object'],
      [2, 'empty'],
      [3, 'prompt'],
      [4, 'empty'],
      [5, 'custom_id'],
    ]);
    expect(parse('json', '', NO_CSV)).toEqual({ items: [], problems: [] });
  });

  it('reads lines of JSON, also those of a batch', () => {
    const text = [
      '{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": "x"}}',
      '',
      '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}',
      'nonsense',
      '{"body": 5}',
      '{"body": {}, "method": "GET"}',
    ].join('\n');
    const found = parse('jsonl', text, NO_CSV);
    expect(found.items).toEqual([
      { line: 1, prompt: null, body: { model: 'm', input: 'x' }, customId: 'a', url: '/v1/embeddings' },
      { line: 3, prompt: null, body: { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 3 }, customId: null, url: null },
    ]);
    expect(found.problems.map(({ line, kind }) => [line, kind])).toEqual([[4, 'json'], [5, 'body'], [6, 'method']]);
  });
});
