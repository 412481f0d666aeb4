/** Figures as people read them. All take null for what is not known, which is a dash. */

import type { Language } from './language';

export const UNKNOWN = '–';
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

type Figure = number | null | undefined;

const LOCALES: Record<Language, string> = { en: 'en-US', de: 'de-DE' };
// Of the module, as figures are written by plain functions, in places where no context reaches.
let locale = LOCALES.en;
// To make one takes a hundred times as long as to use it.
const notations = new Map<string, Intl.NumberFormat>();

/** From now on: 1,024.5 in English is 1.024,5 in German. */
export function writeFiguresIn(language: Language): void {
  locale = LOCALES[language];
}

/** 12,345.6: with so many `digits` behind the point. */
export function decimal(value: number, digits: number): string {
  return notation(`${locale} ${digits}`, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** 0.1 or 10,000: as few digits as it has, of eight. */
export function plain(value: number): string {
  return notation(`${locale} plain`, { maximumSignificantDigits: 8 }).format(value);
}

function notation(key: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const found = notations.get(key) ?? new Intl.NumberFormat(locale, options);
  notations.set(key, found);
  return found;
}

/** Bytes by 1,024s, as the command line writes them: 714 MiB, 4.2 GiB. */
export function bytes(value: Figure): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  let rest = Math.abs(value);
  let unit = 0;
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : 1;
  return `${value < 0 ? '-' : ''}${decimal(rest, digits)} ${UNITS[unit] ?? 'B'}`;
}

/** Seconds: 340 ms, 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h. */
export function seconds(value: Figure): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 59.95) return `${value < 9.95 ? decimal(value, 1) : Math.round(value)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return joined(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return joined(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  return joined(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h');
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** 12,345; with `digits` behind the point. */
export function figure(value: Figure, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  return decimal(value, digits);
}

/** A share of 1: 12 %. */
export function percent(value: Figure, digits = 0): string {
  return value === null || value === undefined || !Number.isFinite(value) ? UNKNOWN : `${decimal(100 * value, digits)} %`;
}

/** A Unix time in seconds, in the reader's own zone: 2026-11-22 12:04:05. */
export function moment(value: Figure): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const date = new Date(value * 1000);
  const two = (part: number) => String(part).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** How long ago a Unix time in seconds was. */
export function ago(value: Figure, now: number): string {
  if (value === null || value === undefined) return UNKNOWN;
  return seconds(Math.max(1, Math.round(now - value)));
}
