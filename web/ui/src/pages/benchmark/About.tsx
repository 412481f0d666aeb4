import { Facts } from '@/components/Facts';
import { Section } from '@/components/Section';
import { bytes, figure, moment, seconds } from '@/text/format';
import type { Measured, Run } from './api';
import { time } from './figures';
import { useBenchmarkTexts } from './texts';

/** Where, when and with what it was measured. */
export function About({ run }: { run: Run }) {
  const say = useBenchmarkTexts();
  const { plan, host } = run;
  const shared = plan.shared_prefix > 0 ? say.sharedWords(plan.shared_prefix) : '';
  return (
    <Section title={say.about}>
      <Facts
        rows={[
          [say.facts.id, run.id],
          [say.facts.when, moment(run.created)],
          [say.facts.took, run.ended === null ? null : seconds(run.ended - run.created)],
          [
            say.facts.plan,
            `${say.ownPlan(plan.prompt_sizes.map((size) => figure(size)).join(', '), plan.concurrency.join(', '))}; ${say.planWords(plan.max_tokens, plan.repetitions, plan.warm_up)}${shared}`,
          ],
          [say.facts.seed, run.seed],
          [say.facts.kronk, run.kronk],
          [say.facts.machine, host === null ? null : `${host.name}, ${host.cpu}, ${host.cores}×, ${host.system}`],
          [say.facts.memory, host === null ? null : bytes(host.memory_bytes)],
          [say.facts.gpus, host === null || host.gpus.length === 0 ? null : host.gpus.join(', ')],
        ]}
      />
      {run.measured.map((target) => (
        <Target key={target.name} target={target} />
      ))}
    </Section>
  );
}

function Target({ target }: { target: Measured }) {
  const say = useBenchmarkTexts();
  return (
    <Facts
      rows={[
        [say.facts.server, `${target.name}${target.server === null ? '' : ` (${target.server})`}${target.url === null ? '' : `, ${target.url}`}`],
        [say.facts.llama, target.llama],
        [say.facts.quantization, target.quantization],
        [say.facts.size, target.size_bytes === null ? null : bytes(target.size_bytes)],
        [say.facts.digest, target.digest?.slice(0, 16) ?? null],
        [say.facts.prompts, say.sizing[target.sizing]],
        [say.facts.cold, target.cold_seconds === null ? null : time(target.cold_seconds)],
      ]}
    />
  );
}
