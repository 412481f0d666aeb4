import { describe, expect, it } from 'vitest';
import { answerOf, chosen, exported, itemsOf } from './items';

const asked = (id: string, prompt: string) => JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/completions', body: { model: 'm', prompt } });
const answered = (id: string, body: unknown, status = 200) => JSON.stringify({ custom_id: id, response: { status_code: status, body }, error: null });

const INPUT = `${asked('a', 'One?')}\n${asked('b', '=2+2')}\n\n${asked('c', 'Three?')}\n${asked('d', 'Four?')}\n`;
const OUTPUT = `${answered('b', { choices: [{ text: '-4, "four"' }] })}\n${answered('a', { choices: [{ message: { content: 'Yes' } }] })}\n`;
const ERRORS = `${answered('c', { error: { message: 'no room', code: 'overloaded' } }, 503)}\n`;
const ITEMS = itemsOf(INPUT, OUTPUT, ERRORS);

describe('the items of a batch', () => {
  it('are in the order of the input, with what became of them', () => {
    expect(ITEMS.map(({ line, state, status, error }) => [line, state, status, error])).toEqual([
      [1, 'answered', 200, null],
      [2, 'answered', 200, null],
      [4, 'failed', 503, 'no room'],
      [5, 'waiting', null, null],
    ]);
  });

  it('are failed where the server has only an error', () => {
    const [item] = itemsOf(asked('a', 'x'), '', JSON.stringify({ custom_id: 'a', response: null, error: { code: 'batch_cancelled', message: 'it was cancelled' } }));
    expect(item).toMatchObject({ state: 'failed', status: null, error: 'it was cancelled' });
  });

  it.each<[unknown, string]>([
    [{ choices: [{ message: { content: 'Hi' } }] }, 'Hi'],
    [{ choices: [{ text: 'Ho' }] }, 'Ho'],
    [{ output: [{ type: 'reasoning' }, { content: [{ type: 'output_text', text: 'Hey' }] }] }, 'Hey'],
    [{ data: [{ embedding: [0.5, 1, 2, 3, 4] }] }, '[0.5000, 1.0000, 2.0000, 3.0000, … 5]'],
    [{ results: [] }, '{"results":[]}'],
    [null, ''],
  ])('show %j as %s', (response, text) => {
    expect(answerOf(response)).toBe(text);
  });

  it('are chosen by their state and by words', () => {
    const ids = (...given: [Parameters<typeof chosen>[1], string]) => chosen(ITEMS, ...given).map(({ request }) => request.custom_id);
    expect(ids('failed', '')).toEqual(['c']);
    expect(ids('all', 'FOUR')).toEqual(['b', 'd']);
    expect(ids('all', 'room')).toEqual(['c']);
  });

  it('become a file, and no formula', () => {
    expect(exported(ITEMS.slice(0, 3), 'csv')).toBe(
      'custom_id,state,status,prompt,answer,error\r\n' + 'a,answered,200,One?,Yes,\r\n' + `b,answered,200,'=2+2,"'-4, ""four""",\r\n` + 'c,failed,503,Three?,,no room\r\n',
    );
    expect(JSON.parse(exported(ITEMS, 'json'))).toHaveLength(4);
    expect(exported(ITEMS, 'jsonl').trimEnd().split('\n')).toHaveLength(4);
    expect(JSON.parse(exported(ITEMS.slice(2, 3), 'jsonl'))).toMatchObject({ custom_id: 'c', state: 'failed', error: 'no room' });
  });
});
