import { SimpleGrid } from '@mantine/core';
import { useMemo } from 'react';
import { Section } from '@/components/Section';
import { type Series, TimeChart } from '@/components/TimeChart';
import type { Sample } from '@/live/history';
import { bytes, figure, seconds } from '@/text/format';
import { speedSeries } from './series';
import { useDashboardTexts } from './texts';

/** What the last minutes were like. Loaded by itself: the library that draws is not small. */
export default function Charts({ samples, total }: { samples: readonly Sample[]; total: number }) {
  const say = useDashboardTexts().charts;
  const times = useMemo(() => samples.map(({ time }) => time), [samples]);
  const speed = useMemo(() => speedSeries(samples, say.all), [samples, say]);
  const ttft = useMemo<Series[]>(
    () => [
      { name: say.median, values: samples.map((sample) => sample.ttft) },
      { name: say.slow, values: samples.map((sample) => sample.ttftSlow) },
    ],
    [samples, say],
  );
  const cpu = useMemo<Series[]>(() => [{ name: say.used, values: samples.map((sample) => sample.cpu) }], [samples, say]);
  const memory = useMemo<Series[]>(() => [{ name: say.used, values: samples.map((sample) => sample.memoryUsed) }], [samples, say]);
  return (
    <Section title={say.title}>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
        <TimeChart title={say.speed} times={times} series={speed} format={(value) => figure(value, value < 10 ? 1 : 0)} least={10} />
        <TimeChart title={say.ttft} times={times} series={ttft} format={seconds} least={0.1} />
        <TimeChart title={say.cpu} times={times} series={cpu} format={(value) => `${figure(value)} %`} least={100} />
        <TimeChart title={say.memory} times={times} series={memory} format={bytes} least={total} inBytes />
      </SimpleGrid>
    </Section>
  );
}
