import type { Device, Estimate } from './api';

/** The parts that the bar of a device shows, in this order. */
export const KINDS = ['weights', 'kv', 'compute', 'overhead', 'prefixes'] as const;
export type Kind = (typeof KINDS)[number];

const KIND_OF: Record<string, Kind> = {
  weights: 'weights', adapters: 'weights', projector: 'weights', draft: 'weights',
  kv: 'kv', state: 'kv', recurrent: 'kv',
  scratch: 'compute', work: 'compute', outputs: 'compute',
};

export interface Bar {
  device: string;
  parts: { kind: Kind; bytes: number }[];
  /** Of all parts. */
  needed: number;
  /** What other models have of the budget, and would not give up. */
  held: number;
  budget: number;
  total: number;
  /** The width of the bar in bytes: the budget, or more where more is needed. */
  scale: number;
  isOver: boolean;
}

/** A bar for each device that the load touches. */
export function barsOf(estimate: Estimate): Bar[] {
  return estimate.machine.devices
    .map((device) => barOf(device, estimate))
    .filter((bar) => bar.needed > 0 || bar.held > 0);
}

function barOf(device: Device, estimate: Estimate): Bar {
  const sums = new Map<Kind, number>();
  const add = (kind: Kind, bytes: number) => sums.set(kind, (sums.get(kind) ?? 0) + bytes);
  for (const part of estimate.parts) {
    const bytes = part.devices[device.device] ?? 0;
    if (bytes > 0) add(KIND_OF[part.part] ?? 'overhead', bytes);
  }
  const predicted = [...sums.values()].reduce((sum, bytes) => sum + bytes, 0);
  // What is set aside beyond the parts is the memory for kept prefixes; it gives way.
  const more = (estimate.set_aside.devices[device.device] ?? 0) - predicted;
  if (more > 0) add('prefixes', more);
  const parts = KINDS.flatMap((kind) => (sums.has(kind) ? [{ kind, bytes: sums.get(kind) ?? 0 }] : []));
  const needed = parts.reduce((sum, part) => sum + part.bytes, 0);
  const held = Math.max(0, device.held_bytes - device.idle_bytes);
  const gives = sums.get('prefixes') ?? 0;
  return {
    device: device.device,
    parts,
    needed,
    held,
    budget: device.budget_bytes,
    total: device.total_bytes,
    scale: Math.max(device.budget_bytes, needed + held, 1),
    isOver: needed - gives + held > device.budget_bytes,
  };
}
