import { ActionIcon, Button, Group, Menu, Tooltip } from '@mantine/core';
import { IconBolt, IconDots, IconLogout, IconPin, IconPinnedOff, IconPlayerEject, IconRestore } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Action, manage } from '@/api/modelFiles';
import { MODELS_KEY } from '@/api/models';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import type { LiveModel } from '@/live/state';
import { mayUse } from '@/session/session';
import { useSession } from '@/session/SessionContext';
import { actionsOf } from './actions';
import { useModelTexts } from './texts';

/** The first thing to do with a model as a button, the rest in a menu. */
export function ModelActions({ model, row }: { model: string; row: LiveModel | undefined }) {
  const say = useModelTexts().actions;
  const queries = useQueryClient();
  const session = useSession();
  const [busy, setBusy] = useState<Action | null>(null);
  if (!mayUse(session, 'admin')) return null;

  const act = async (action: Action, force = false) => {
    setBusy(action);
    try {
      tellDone((await manage(action, model, force)).message);
    } catch (error) {
      tellError(error, say.failed(model));
    } finally {
      setBusy(null);
      void queries.invalidateQueries({ queryKey: MODELS_KEY });
      void queries.invalidateQueries({ queryKey: ['history'] });
    }
  };
  const unload = (force: boolean) => {
    const streams = row?.slots_busy ?? 0;
    if (!force && streams === 0) return act('unload');
    confirmFirst({
      title: force ? say.forceTitle(model) : say.unloadTitle(model),
      text: force ? say.forceText(streams) : say.unloadText(streams),
      confirm: force ? say.force : say.unload,
      cancel: say.cancel,
      onConfirm: () => act('unload', force),
    });
  };
  const reset = () =>
    confirmFirst({ title: say.resetTitle(model), text: say.resetText, confirm: say.reset, cancel: say.cancel, onConfirm: () => act('reset') });

  const can = actionsOf(row);
  const inMenu = [
    can.has('unload') && { key: 'force', label: say.force, icon: IconPlayerEject, color: 'red', run: () => unload(true) },
    can.has('pin') && { key: 'pin', label: say.pin, icon: IconPin, run: () => act('pin') },
    can.has('unpin') && { key: 'unpin', label: say.unpin, icon: IconPinnedOff, run: () => act('unpin') },
    can.has('reset') && { key: 'reset', label: say.reset, icon: IconRestore, run: reset },
  ].filter((one) => one !== false);

  return (
    <Group gap={4} wrap="nowrap">
      {can.has('load') && (
        <Button size="compact-sm" variant="default" loading={busy === 'load'} leftSection={<IconBolt size={16} aria-hidden />} onClick={() => void act('load')} aria-label={`${say.load}: ${model}`}>
          {say.load}
        </Button>
      )}
      {can.has('unload') && (
        <Button size="compact-sm" variant="default" loading={busy === 'unload'} leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void unload(false)} aria-label={`${say.unload}: ${model}`}>
          {say.unload}
        </Button>
      )}
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Tooltip label={say.more}>
            <ActionIcon variant="subtle" color="gray" aria-label={`${say.more}: ${model}`} loading={busy !== null && busy !== 'load' && busy !== 'unload'}>
              <IconDots size={18} aria-hidden />
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          {inMenu.map(({ key, label, icon: Picture, run, ...rest }) => (
            <Menu.Item key={key} leftSection={<Picture size={16} aria-hidden />} onClick={() => void run()} {...('color' in rest ? { color: rest.color } : {})}>
              {label}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
