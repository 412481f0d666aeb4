import { Button, FileButton, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import { tellDone } from '@/components/notices';
import { type ToolDraft, toolsFrom } from './schema';
import { useToolsTexts } from './texts';

interface Props {
  isOpen: boolean;
  onClose: () => void;
  onImport: (tools: ToolDraft[]) => void;
}

export function ImportDialog({ isOpen, onClose, onImport }: Props) {
  const say = useToolsTexts();
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const change = (next: string) => {
    setText(next);
    setFault(null);
  };
  const take = () => {
    try {
      const tools = toolsFrom(text);
      onImport(tools);
      tellDone(say.imported(tools.length));
      change('');
      onClose();
    } catch (error) {
      setFault(say.cannotRead(error instanceof Error ? error.message : String(error)));
    }
  };
  return (
    <Modal opened={isOpen} onClose={onClose} title={say.importTitle} size="lg" closeButtonProps={{ 'aria-label': say.cancel }}>
      <Stack>
        <Text size="sm">{say.importHint}</Text>
        <Textarea
          label={say.importText}
          autosize
          minRows={6}
          maxRows={18}
          value={text}
          error={fault}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.85em' } }}
          onChange={(event) => change(event.currentTarget.value)}
        />
        <Group justify="space-between">
          <FileButton accept="application/json,.json" onChange={(file) => void file?.text().then(change)}>
            {(props) => (
              <Button variant="default" {...props}>
                {say.importFile}
              </Button>
            )}
          </FileButton>
          <Button onClick={take} disabled={text.trim() === ''}>
            {say.importDo}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
