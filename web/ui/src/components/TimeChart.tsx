import { Box, Group, Text, useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useId, useRef } from 'react';
import uPlot, { type AlignedData } from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { moment } from '@/text/format';

export interface Series {
  name: string;
  /** One for each time; null is a gap. */
  values: readonly (number | null)[];
  /** CSS colour; by place in the list otherwise. */
  color?: string;
}

interface Props {
  /** What it shows, for who cannot see it, and above it. */
  title: string;
  /** Unix seconds, growing. */
  times: readonly number[];
  series: readonly Series[];
  /** A value as it is written at the axis and in the legend. */
  format: (value: number) => string;
  height?: number;
  /** The upper end of the axis is at least this. */
  least?: number;
  /** The axis counts by powers of two. */
  inBytes?: boolean;
}

const COLORS = ['#12876f', '#4263eb', '#d9480f', '#9c36b5', '#1098ad', '#e67700', '#c2255c', '#5c940d'];
const GRID = { light: '#e9ecef', dark: '#2f3338' };
const INK = { light: '#5a6169', dark: '#a9afb7' };
const AXIS_WIDTH = 68;
/** A new page's few samples are drawn where they are in this time, in seconds. */
const LEAST_SPAN = 120;
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** Lines over time. The newest values stand in words above it. */
export function TimeChart({ title, times, series, format, height = 160, least = 0, inBytes = false }: Props) {
  const { ref, width } = useElementSize();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef({ format, least });
  const scheme = useComputedColorScheme();
  const id = useId();
  const names = series.map(({ name, color }) => `${name} ${color ?? ''}`).join('|');

  useEffect(() => {
    newest.current = { format, least };
  }, [format, least]);

  // Made anew when what cannot be changed in it changes; its data are given to it below.
  useEffect(() => {
    if (place.current === null) return undefined;
    const axis = { stroke: INK[scheme], grid: { stroke: GRID[scheme], width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: 300,
        height,
        legend: { show: false },
        cursor: { y: false },
        scales: {
          x: { range: (_, first, last) => (Number.isFinite(last) ? [Math.min(first, last - LEAST_SPAN), last] : [null, null]) },
          y: { range: (_, __, most) => [0, Math.max(newest.current.least, most * 1.1, 0.001)] },
        },
        axes: [
          { ...axis, size: 30, space: 80, values: (_, splits) => splits.map(clock) },
          { ...axis, ...(inBytes ? { incrs: POWERS } : {}), size: AXIS_WIDTH, space: 36, values: (_, splits) => splits.map((value) => newest.current.format(value)) },
        ],
        series: [
          {},
          ...series.map(({ color }, place) => {
            const stroke = color ?? colorAt(place);
            return { stroke, width: 2, points: { show: false }, ...(series.length === 1 ? { fill: `${stroke}22` } : {}) };
          }),
        ],
      },
      dataOf(times, series),
      place.current,
    );
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the data are set by the next effect
  }, [names, scheme, height, inBytes]);

  useEffect(() => {
    plot.current?.setData(dataOf(times, series));
  }, [times, series]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height, names, scheme]);

  return (
    <Box component="figure" m={0} aria-labelledby={id}>
      <Group justify="space-between" gap="xs" mb={4}>
        <Text id={id} size="sm" fw={600} component="figcaption">
          {title}
        </Text>
        <Group gap="sm">
          {series.map(({ name, values, color }, place) => (
            <Group key={name} gap={6} wrap="nowrap">
              <Box w={10} h={10} bg={color ?? colorAt(place)} style={{ borderRadius: 3, flex: 'none' }} />
              <Text size="xs" className="numbers">
                {name} <b>{said(values.at(-1), format)}</b>
              </Text>
            </Group>
          ))}
        </Group>
      </Group>
      <Box ref={ref} h={height} style={{ overflow: 'hidden' }} aria-hidden>
        <div ref={place} />
      </Box>
    </Box>
  );
}

/** 12:04:05 of a Unix time, where the reader is. */
function clock(time: number): string {
  return moment(time).slice(-8);
}

function colorAt(place: number): string {
  return COLORS[place % COLORS.length] ?? '#12876f';
}

function dataOf(times: readonly number[], series: readonly Series[]): AlignedData {
  return [[...times], ...series.map(({ values }) => [...values])];
}

function said(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}
