import type { LiveBudget, LiveModel, LiveSlot } from '@/live/state';

export interface Share {
  model: string;
  bytes: number;
  /** Of the budget, 0 to 1. */
  share: number;
}

/** What each model has of a device's budget, the most first; `rest` is what else is set aside. */
export function sharesOf(budget: LiveBudget, models: readonly LiveModel[]): { shares: Share[]; rest: number; free: number } {
  const total = Math.max(1, budget.budget_bytes);
  const shares = models
    .map((model) => ({ model: model.model, bytes: model.promised[budget.device] ?? 0 }))
    .filter(({ bytes }) => bytes > 0)
    .map((one) => ({ ...one, share: Math.min(1, one.bytes / total) }))
    .sort((one, other) => other.bytes - one.bytes || one.model.localeCompare(other.model));
  const known = shares.reduce((sum, { bytes }) => sum + bytes, 0);
  return { shares, rest: Math.max(0, budget.reserved_bytes - known), free: Math.max(0, budget.budget_bytes - Math.max(budget.reserved_bytes, known)) };
}

/** How much of a slot's part of the context is taken, 0 to 1; null where its size is not known.
 * The KV cache is one for all slots: a slot may grow to the whole context. */
export function filled(slot: LiveSlot, context: number | null): number | null {
  return context === null || context <= 0 ? null : Math.min(1, slot.rows / context);
}

/** What of the prompt is read, 0 to 1. */
export function promptRead(slot: LiveSlot): number {
  return slot.prompt <= 0 ? 0 : Math.min(1, slot.prompt_done / slot.prompt);
}

/** The colour of a meter: what fills is first worth a look, then a reason to act. */
export function alarm(share: number | null): string {
  if (share === null) return 'gray';
  return share >= 0.95 ? 'red' : share >= 0.8 ? 'yellow' : 'kronk';
}
