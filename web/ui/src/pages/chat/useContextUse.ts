import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { call } from '@/api/http';
import { type ModelUse, useModels } from '@/api/models';
import { messagesOf, requestBody } from '@/chat/request';
import { type Document, mediaOf, pathOf, textOf } from '@/chat/thread';
import type { ChatSettings } from '@/chat/settings';
import { useLive } from '@/live/store';
import { type ContextUse, estimate } from './contextUse';

interface Counted {
  count: number;
  max_model_len: number;
}

/**
 * The use of the context window by the conversation with the draft; null where nothing is known of it.
 *
 * A model that is loaded counts by itself; one that is not is not loaded for this.
 */
export function useContextUse(document: Document<ChatSettings>, draft: string, way: { isAsked: boolean; isRunning: boolean }): ContextUse | null {
  const { isAsked, isRunning } = way;
  const { settings, head } = document;
  const { model, system, thinking, tools } = settings;
  const row = useLive().state?.models.find((one) => one.model === model);
  const { data: models } = useModels();
  const [typed] = useDebouncedValue(draft, 400);
  const canCount = isAsked && row?.state === 'ready';
  const { data: counted } = useQuery({
    queryKey: ['tokens', model, head, lengthOf(document), system, thinking, JSON.stringify(tools ?? null)],
    queryFn: ({ signal }) => call<Counted>('/v1/tokenize', { method: 'POST', body: countBody(document), signal }),
    enabled: canCount && !isRunning && (head !== null || system.trim() !== ''),
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
  });
  const { data: written } = useQuery({
    queryKey: ['tokens of a draft', model, typed],
    queryFn: ({ signal }) => call<Counted>('/v1/tokenize', { method: 'POST', body: { model, content: typed }, signal }),
    enabled: canCount && typed.trim() !== '',
    staleTime: Infinity,
    gcTime: 10_000,
    retry: false,
    placeholderData: keepPreviousData,
  });
  return useMemo(() => {
    const window = counted?.max_model_len ?? row?.n_ctx ?? trainedFor(models, model);
    if (window === null || !isAsked) return null;
    const own = draft.trim() === '' ? 0 : (written?.count ?? estimate([{ text: draft, media: 0 }]));
    if (counted !== undefined && (head !== null || system !== '')) return { tokens: counted.count + own, window, isExact: canCount };
    return { tokens: guessed(document) + own, window, isExact: head === null && system === '' && canCount };
  }, [canCount, counted, document, draft, head, isAsked, model, models, row?.n_ctx, system, written]);
}

/** The chat as a request would have it, without what makes the model begin. */
function countBody(document: Document<ChatSettings>): Record<string, unknown> {
  const { model, tools, enable_thinking } = requestBody([], document.settings);
  const messages = messagesOf(pathOf(document), document.settings.system);
  return { model, messages, ...(tools !== undefined && { tools }), ...(enable_thinking !== undefined && { enable_thinking }), add_generation_prompt: false };
}

function trainedFor(models: readonly ModelUse[] | undefined, name: string): number | null {
  return models?.find(({ id, aliases }) => id === name || aliases.includes(name))?.context_length ?? null;
}

function guessed(document: Document<ChatSettings>): number {
  const messages = pathOf(document).map(({ content }) => ({ text: textOf(content), media: mediaOf(content).length }));
  const { system } = document.settings;
  return estimate(system === '' ? messages : [{ text: system, media: 0 }, ...messages]);
}

/** What changes with a message that is changed in its place. */
function lengthOf(document: Document<ChatSettings>): number {
  return pathOf(document).reduce((sum, { content }) => sum + textOf(content).length, 0);
}
