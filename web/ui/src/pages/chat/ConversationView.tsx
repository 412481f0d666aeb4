import { ActionIcon, Alert, Button, Drawer, Group, Text, Title, Tooltip, VisuallyHidden } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconAdjustmentsHorizontal, IconMenu2, IconMessage2, IconPencilPlus } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { Link, useNavigate } from 'react-router';
import { CONVERSATIONS_KEY } from '@/api/conversations';
import { useModels } from '@/api/models';
import { connectionOf, isThisKronk, useConnections } from '@/chat/connection';
import { moveDraft } from '@/chat/draft';
import { usePresets, valuesOf } from '@/chat/presets';
import type { ChatSettings } from '@/chat/settings';
import { contentOf, mediaOf, pathOf } from '@/chat/thread';
import { EmptyState } from '@/components/EmptyState';
import { ErrorNotice } from '@/components/ErrorNotice';
import classes from './ChatPage.module.css';
import { Composer } from './Composer';
import { ContextMeter } from './ContextMeter';
import { ModelChoice } from './ModelChoice';
import type { OpenConversation } from './openConversation';
import { rememberSettings } from './remembered';
import { SettingsPanel } from './SettingsPanel';
import { useChatTexts } from './texts';
import { Thread } from './Thread';
import { useContextUse } from './useContextUse';
import { useDraft } from './useDraft';
import { useDrop } from './useDrop';

/** A conversation: its messages, and where the next one is written. */
export function ConversationView({ conversation, onList }: { conversation: OpenConversation; onList: () => void }) {
  const say = useChatTexts();
  const { document, running, summary, problem, saving, isJoined } = useSyncExternalStore(conversation.subscribe, conversation.snapshot);
  const [areSettingsOpen, panel] = useDisclosure();
  const connections = useConnections();
  const connection = connectionOf(connections);
  const presets = usePresets();
  const asking = useMemo(() => ({ connection, presets: valuesOf(presets) }), [connection, presets]);
  const field = useRef<HTMLTextAreaElement>(null);
  const drafting = useDraft(summary?.id ?? null);
  const use = useContextUse(document, drafting.text, { isAsked: isThisKronk(connection), isRunning: running !== null });
  const isDropping = useDrop(drafting.attach);
  const { settings } = document;
  const media = [...drafting.attachments.map(({ part }) => part), ...pathOf(document).flatMap(({ content }) => mediaOf(content))];
  const warning = useBlindness(settings.model, media.map(({ type }) => type), isThisKronk(connection));
  const title = summary === null || summary.title === '' ? say.title : summary.title;
  useKept(conversation);
  useFirstModel(conversation, isThisKronk(connection));
  useHotkeys([['mod+shift+O', () => void window.document.getElementById('new-chat')?.click()]]);
  useEffect(() => {
    window.document.title = `${title} · Kronk`;
  }, [title]);
  // A keyboard that covers half of a phone is not asked for.
  useEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current?.focus({ preventScroll: true });
  }, [conversation]);

  const set = (next: ChatSettings) => {
    conversation.set(next);
    rememberSettings(next);
  };
  const send = () => {
    conversation.send(contentOf(drafting.text, drafting.attachments.map(({ part }) => part)), asking);
    drafting.clear();
  };
  return (
    <>
      <header className={classes.head}>
        <ActionIcon hiddenFrom="md" variant="subtle" color="gray" size="lg" aria-label={say.conversations} onClick={onList}>
          <IconMenu2 size={18} aria-hidden />
        </ActionIcon>
        <Title order={1} size="h5" className={classes.headTitle} lineClamp={1} title={title}>
          {title}
        </Title>
        <Text size="xs" c="dimmed" visibleFrom="sm" role="status" style={{ whiteSpace: 'nowrap' }}>
          {summary === null && saving === 'saved' ? '' : say.saving[saving]}
        </Text>
        <Tooltip label={say.newChat}>
          <ActionIcon id="new-chat" component={Link} to="/chat" hiddenFrom="md" variant="subtle" color="gray" size="lg" aria-label={say.newChat}>
            <IconPencilPlus size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
        <Tooltip label={say.settings}>
          <ActionIcon variant="default" size="lg" aria-label={say.settings} onClick={panel.open}>
            <IconAdjustmentsHorizontal size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </header>
      {document.head === null ? (
        <div className={classes.scroll}>
          <EmptyState
            icon={IconMessage2}
            title={say.empty.title}
            text={say.empty.text}
            action={
              <Button component={Link} to="/prompts" variant="default" size="sm">
                {say.empty.prompts}
              </Button>
            }
          />
        </div>
      ) : (
        <Thread conversation={conversation} asking={asking} />
      )}
      <div className={classes.foot}>
        <div className={classes.column}>
          {isJoined && (
            <Alert mb="xs" color="blue" withCloseButton closeButtonLabel={say.close} onClose={() => conversation.seen()} role="status">
              {say.joined}
            </Alert>
          )}
          {saving === 'failed' && (
            <div style={{ marginBottom: 8 }}>
              <ErrorNotice error={problem} title={say.notKept} onRetry={() => conversation.save()} />
            </div>
          )}
          <Composer
            drafting={drafting}
            field={field}
            isRunning={running !== null}
            obstacle={settings.model === '' ? say.composer.noModel : null}
            warning={warning}
            onSend={send}
            onStop={() => conversation.stop()}
          >
            <ModelChoice connection={connection} model={settings.model} onChange={(model) => set({ ...settings, model })} />
          </Composer>
          <Group justify="space-between" wrap="nowrap" px="sm" pt={6} mih={24} gap="md">
            {use === null ? <span /> : <ContextMeter use={use} />}
            <Text size="xs" c="dimmed" visibleFrom="sm" style={{ whiteSpace: 'nowrap' }}>
              {say.composer.hint}
            </Text>
          </Group>
          <Spoken isRunning={running !== null} />
        </div>
      </div>
      {isDropping && (
        <div className={classes.drop}>
          <Text fw={600}>{say.composer.drop}</Text>
        </div>
      )}
      <Drawer opened={areSettingsOpen} onClose={panel.close} position="right" size="26rem" title={say.settings} closeButtonProps={{ 'aria-label': say.close }}>
        <SettingsPanel settings={settings} connection={connection} onChange={set} />
      </Drawer>
    </>
  );
}

/** Says the end of an answer to who does not see it. */
function Spoken({ isRunning }: { isRunning: boolean }) {
  const say = useChatTexts();
  const [before, setBefore] = useState(isRunning);
  const [text, setText] = useState('');
  if (isRunning !== before) {
    setBefore(isRunning);
    setText(isRunning ? say.waiting : say.done);
  }
  return <VisuallyHidden role="status">{text}</VisuallyHidden>;
}

/** A conversation that is kept gets its address, and the list learns of it. */
function useKept(conversation: OpenConversation): void {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { summary } = useSyncExternalStore(conversation.subscribe, conversation.snapshot);
  const id = summary?.id;
  useEffect(() => {
    if (id === undefined || location.pathname !== '/chat') return;
    moveDraft(id);
    queries.setQueryData(['opened conversation', id], conversation);
    void navigate(`/chat/${id}`, { replace: true });
  }, [id, conversation, navigate, queries]);
  useEffect(() => {
    if (id !== undefined) void queries.invalidateQueries({ queryKey: CONVERSATIONS_KEY });
  }, [id, summary?.title, summary?.messages, summary?.archived, queries]);
}

/** Where no model is chosen, one that is loaded, else the first there is. */
function useFirstModel(conversation: OpenConversation, isHere: boolean): void {
  const { data: models } = useModels();
  const model = useSyncExternalStore(conversation.subscribe, () => conversation.snapshot().document.settings.model);
  useEffect(() => {
    if (!isHere || model !== '' || models === undefined) return;
    const first = models.find(({ capabilities }) => capabilities.includes('chat') || capabilities.includes('completion'));
    if (first !== undefined) conversation.set({ ...conversation.snapshot().document.settings, model: first.id });
  }, [conversation, isHere, model, models]);
}

/** That the model cannot make use of what is attached. */
function useBlindness(model: string, kinds: readonly ('image_url' | 'input_audio')[], isHere: boolean): string | null {
  const say = useChatTexts().composer;
  const { data: models } = useModels();
  const able = models?.find((one) => one.id === model || one.aliases.includes(model))?.capabilities ?? [];
  if (!isHere || able.length === 0) return null;
  if (kinds.includes('image_url') && !able.includes('vision')) return say.noVision;
  return kinds.includes('input_audio') && !able.includes('audio') ? say.noAudio : null;
}
