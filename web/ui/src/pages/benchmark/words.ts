import type { RunSummary } from './api';
import { useBenchmarkTexts } from './texts';

/** The name of a run's preset, or what its plan asks for. */
export function usePlanName(): (run: Pick<RunSummary, 'preset' | 'plan'>) => string {
  const say = useBenchmarkTexts();
  const presets: Record<string, { name: string }> = say.presets;
  return ({ preset, plan }) => {
    const own = say.ownPlan(plan.prompt_sizes.join(', '), plan.concurrency.join(', '));
    return preset === null ? own : (presets[preset]?.name ?? preset);
  };
}
