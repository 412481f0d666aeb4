import { figure, seconds } from '@/text/format';
import { type Column, measured, type Run } from './comparison';

/** A run for a note or an issue. */
export function markdownOf(run: Run, best: string | null = null): string {
  const head = ['| Model | Tokens/s | First token | Time | Tokens |', '| --- | ---: | ---: | ---: | ---: |'];
  const rows = run.columns.map((column) => {
    const { speed, ttft, seconds: time, tokens } = measured(column.answer);
    const name = `${cell(column.model)}${column.model === best ? ' ★' : ''}`;
    return `| ${[name, figure(speed, 1), seconds(ttft), seconds(time), figure(tokens)].join(' | ')} |`;
  });
  const system = run.system.trim() === '' ? [] : ['System:', quoted(run.system)];
  return [...system, ...(system.length > 0 ? ['Prompt:'] : []), quoted(run.prompt), [...head, ...rows].join('\n'), ...run.columns.map(section)].join('\n\n') + '\n';
}

function section(column: Column): string {
  const { answer } = column;
  const text = answer === null ? '' : answer.content.trim();
  const error = answer?.error == null ? [] : [`**${answer.error.message}**`];
  return [`## ${column.model}`, ...(text === '' ? [] : [text]), ...error].join('\n\n');
}

function quoted(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `> ${line}`.trimEnd())
    .join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
