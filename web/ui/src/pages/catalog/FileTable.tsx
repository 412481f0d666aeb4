import { Group, Stack, Text } from '@mantine/core';
import type { PlanFile } from '@/api/catalog';
import { StateBadge } from '@/components/StateBadge';
import { bytes } from '@/text/format';
import { useCatalogTexts } from './texts';

interface Row {
  name: string;
  source: string;
  role: PlanFile['role'];
  size_bytes: number | null;
  sha256: string | null;
  here: PlanFile['here'] | null;
}

const COLORED = { same: 'ok', unverified: 'running', different: 'failed', absent: 'queued' } as const;

/** The files of a model: what each is for, how large, from where, and whether it is here. */
export function FileTable({ files }: { files: readonly Row[] }) {
  const say = useCatalogTexts();
  return (
    <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
      {files.map((file) => (
        <li key={file.source}>
          <Group gap="xs">
            <Text size="sm" fw={500} className="breakable">
              {file.name}
            </Text>
            <Text size="sm" className="numbers">
              {say.roles[file.role]} · {bytes(file.size_bytes)}
            </Text>
            {file.here !== null && <StateBadge state={COLORED[file.here]} label={say.hereWords[file.here]} />}
          </Group>
          <Text size="xs" c="dimmed" className="breakable">
            {file.source}
          </Text>
          {file.sha256 !== null && (
            <Text size="xs" c="dimmed" ff="monospace" className="breakable">
              SHA-256 {file.sha256}
            </Text>
          )}
        </li>
      ))}
    </Stack>
  );
}
