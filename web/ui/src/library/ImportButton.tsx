import { Button, FileButton } from '@mantine/core';
import { IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { tellError } from '@/components/notices';
import type { Outcome } from './importing';
import { tellOutcome } from './tellOutcome';
import { useLibraryTexts } from './texts';

interface Props {
  label: string;
  /** Sends what is in the files. */
  take: (files: File[]) => Promise<Outcome>;
  onDone: () => void;
}

/** Chooses files and reads them in; what was refused is told with the reason. */
export function ImportButton({ label, take, onDone }: Props) {
  const say = useLibraryTexts();
  const [isBusy, setBusy] = useState(false);
  const begin = async (files: File[]) => {
    if (files.length === 0) return;
    setBusy(true);
    try {
      tellOutcome(await take(files), say);
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(false);
      onDone();
    }
  };
  return (
    <FileButton multiple accept=".json,application/json" onChange={(files) => void begin(files)} inputProps={{ 'aria-label': label, tabIndex: -1 }}>
      {(props) => (
        <Button {...props} variant="default" loading={isBusy} leftSection={<IconUpload size={16} aria-hidden />}>
          {label}
        </Button>
      )}
    </FileButton>
  );
}
