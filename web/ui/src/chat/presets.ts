import { useQuery } from '@tanstack/react-query';
import { call } from '@/api/http';
import type { Sampling } from './sampling';

/** A way of sampling under one name. */
export interface Preset {
  id: string;
  meaning: string;
  parameters: Sampling;
}

const NONE: readonly Preset[] = [];

/** The presets of this Kronk; none until they have come. */
export function usePresets(): readonly Preset[] {
  const { data } = useQuery({
    queryKey: ['presets'],
    queryFn: ({ signal }) => call<{ data: Preset[] }>('/v1/kronk/presets', { signal }),
    staleTime: Infinity,
  });
  return data?.data ?? NONE;
}

/** What each of them stands for, as `requestBody` wants it. */
export function valuesOf(presets: readonly Preset[]): Record<string, Sampling> {
  return Object.fromEntries(presets.map(({ id, parameters }) => [id, parameters]));
}
