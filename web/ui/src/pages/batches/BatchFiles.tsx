import { Button, Group, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { send } from '@/api/http';
import { tellError } from '@/components/notices';
import { download } from '@/text/download';
import { type Batch, contentPath } from './api';
import { useBatchTexts } from './texts';

/** The files of a batch, where they are too large to be shown. */
export function BatchFiles({ batch }: { batch: Batch }) {
  const say = useBatchTexts().detail;
  const files = [
    [say.input, batch.input_file_id],
    [say.output, batch.output_file_id],
    [say.failures, batch.error_file_id],
  ] as const;
  const fetchFile = async (file: string) => {
    try {
      download(`${file}.jsonl`, await (await send(contentPath(file))).blob());
    } catch (error) {
      tellError(error);
    }
  };
  return (
    <Stack gap="sm">
      <Text>{say.tooLarge}</Text>
      <Group>
        {files.map(
          ([name, file]) =>
            file !== null && (
              <Button key={name} variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={() => void fetchFile(file)}>
                {name}
              </Button>
            ),
        )}
      </Group>
    </Stack>
  );
}
