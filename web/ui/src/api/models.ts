import { useQuery } from '@tanstack/react-query';
import { call } from './http';

/** What a model can be asked for; the server may learn of more. */
export type Capability = 'chat' | 'completion' | 'embeddings' | 'rerank' | 'tools' | 'reasoning' | 'vision' | 'audio' | 'insert';

/** A row of `GET /v1/kronk/capabilities`: a model that can be loaded. */
export interface ModelUse {
  id: string;
  aliases: string[];
  size_bytes: number;
  /** Empty where its file could not be read. */
  capabilities: string[];
  architecture: string | null;
  quantization: string | null;
  size_label: string | null;
  /** Tokens it was trained for. */
  context_length: number | null;
}

export const MODELS_KEY = ['models'] as const;

/** The models that requests may name, for whom they are allowed; asked anew now and then, since
 * files come and go. */
export function useModels() {
  return useQuery({
    queryKey: [...MODELS_KEY, 'uses'],
    queryFn: ({ signal }) => call<{ data: ModelUse[] }>('/v1/kronk/capabilities', { signal }).then(({ data }) => data),
    refetchInterval: 20_000,
  });
}
