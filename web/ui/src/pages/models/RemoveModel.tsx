import { Alert, Button, Group, List, Modal, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { planRemoval, removeModel } from '@/api/modelFiles';
import { MODELS_KEY } from '@/api/models';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { tellDone } from '@/components/notices';
import { bytes } from '@/text/format';
import { useModelsTexts } from './texts';

interface Props {
  model: string;
  isLoaded: boolean;
  onClose: () => void;
  onGone: () => void;
}

/** Says what would be deleted and what that frees, and asks. */
export function RemoveModel({ model, isLoaded, onClose, onGone }: Props) {
  const say = useModelsTexts().remove;
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const { data, error } = useQuery({ queryKey: ['removal', model], queryFn: () => planRemoval(model), staleTime: 0 });
  const remove = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const gone = await removeModel(model, isLoaded);
      tellDone(say.gone(model, bytes(gone.size_bytes)));
      onGone();
      // The lists alone: of the model itself nothing more can be asked.
      await Promise.all(['files', 'uses'].map((list) => queries.invalidateQueries({ queryKey: [...MODELS_KEY, list] })));
    } catch (problem) {
      setFailure(problem);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title={say.title(model)} closeButtonProps={{ 'aria-label': say.cancel }}>
      <Stack>
        {error !== null ? (
          <ErrorNotice error={error} />
        ) : data === undefined ? (
          <Loading rows={2} />
        ) : (
          <>
            <Text size="sm">{say.frees(bytes(data.size_bytes))}</Text>
            <List size="sm" className="breakable">
              {data.files.map((file) => (
                <List.Item key={file}>{file}</List.Item>
              ))}
            </List>
          </>
        )}
        {isLoaded && <Alert color="orange">{say.loaded}</Alert>}
        {failure !== null && <ErrorNotice error={failure} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {say.cancel}
          </Button>
          <Button color="red" loading={isBusy} disabled={data === undefined} onClick={() => void remove()}>
            {isLoaded ? say.unloadAndRemove : say.verb}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
