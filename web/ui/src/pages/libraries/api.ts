import { useQuery } from '@tanstack/react-query';
import { call } from '@/api/http';

export const PROCESSORS = ['cpu', 'cuda', 'metal', 'vulkan', 'rocm', 'sycl'] as const;

export interface Build {
  os: string;
  arch: string;
  processor: string;
  version: string;
  used: boolean;
  /** Null: never tried here. */
  works: boolean | null;
  reason: string | null;
  devices: string[];
  commit: string | null;
  proven: string | null;
  source: string | null;
  sha256: string | null;
  installed: string | null;
  path: string;
}

export interface Libraries {
  path: string;
  os: string;
  arch: string;
  glibc: string | null;
  processors: { name: string; usable: boolean; found: string }[];
  binding: string;
  matching_version: string;
  wanted: string;
  used: string;
  reason: string | null;
  data: Build[];
}

const PATH = '/v1/kronk/libs';
export const LIBRARIES_KEY = ['libraries'] as const;

export function useLibraries() {
  return useQuery({ queryKey: LIBRARIES_KEY, queryFn: ({ signal }) => call<Libraries>(PATH, { signal }) });
}

export const removeBuild = (build: Build) => call<unknown>(`${PATH}/${encodeURIComponent(build.processor)}/${encodeURIComponent(build.version)}`, { method: 'DELETE' });

/** Whether the server can use it: a build for another machine is only kept. */
export const isForHere = (build: Build, libraries: Libraries) => build.os === libraries.os && build.arch === libraries.arch;
