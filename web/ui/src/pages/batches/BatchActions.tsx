import { Button, Menu } from '@mantine/core';
import { IconDownload, IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { confirmFirst } from '@/components/confirm';
import { tellDone, tellError } from '@/components/notices';
import { download } from '@/text/download';
import { askAgain, type Batch, begin, cancel, isOver, nameOf } from './api';
import { exported, type ExportFormat, type Item } from './items';
import { ENDPOINTS } from './requests';
import { useBatchTexts } from './texts';

const TYPES: Record<ExportFormat, string> = { json: 'application/json', jsonl: 'application/jsonl', csv: 'text/csv' };
// Without it spreadsheets take a file for one of their own country's letters.
const MARK = '\uFEFF';

export function BatchActions({ batch, items }: { batch: Batch; items: readonly Item[] }) {
  const say = useBatchTexts();
  const words = say.detail;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const failed = items.filter(({ state }) => state === 'failed');
  const endpoint = ENDPOINTS.find((one) => one === batch.endpoint);

  const stop = () =>
    confirmFirst({
      title: words.cancelAsk.title,
      text: words.cancelAsk.text,
      confirm: words.cancel,
      cancel: words.cancelAsk.cancel,
      onConfirm: async () => {
        try {
          await cancel(batch.id);
          tellDone(words.cancelled);
        } catch (error) {
          tellError(error);
        }
        await askAgain(queries);
      },
    });

  const retry = () =>
    confirmFirst({
      title: words.retryAsk.title,
      text: words.retryAsk.text(failed.length),
      confirm: words.retryAsk.confirm,
      cancel: words.retryAsk.cancel,
      onConfirm: async () => {
        try {
          if (endpoint === undefined) return;
          const made = await begin(failed.map(({ request }) => request), endpoint, words.retryName(nameOf(batch)).slice(0, 200));
          await askAgain(queries);
          await navigate(`/batches/${made.id}`);
        } catch (error) {
          tellError(error);
        }
      },
    });

  return (
    <>
      {isOver(batch) && failed.length > 0 && endpoint !== undefined && (
        <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden />} onClick={retry}>
          {words.retry(failed.length)}
        </Button>
      )}
      {items.length > 0 && (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />}>
              {words.export}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {(['json', 'csv', 'jsonl'] as const).map((format) => (
              <Menu.Item
                key={format}
                onClick={() => download(`${batch.id}.${format}`, (format === 'csv' ? MARK : '') + exported(items, format), TYPES[format])}
              >
                {format.toUpperCase()}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {!isOver(batch) && (
        <Button color="red" variant="light" leftSection={<IconPlayerStop size={16} aria-hidden />} disabled={batch.status === 'cancelling'} onClick={stop}>
          {words.cancel}
        </Button>
      )}
    </>
  );
}
