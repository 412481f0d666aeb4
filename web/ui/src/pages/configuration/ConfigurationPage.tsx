import { Alert, Button, Group, Tabs, Text, Tooltip } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconArrowBackUp, IconDeviceFloppy, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';
import { ApiError } from '@/api/errors';
import { confirmFirst } from '@/components/confirm';
import { ErrorNotice } from '@/components/ErrorNotice';
import { Loading } from '@/components/Loading';
import { tellDone } from '@/components/notices';
import { PageHeader } from '@/components/PageHeader';
import { moment } from '@/text/format';
import { type ConfigFile, FILE_KEY, readFile, useCheck, useConfigFile, type Written, writeFile } from './api';
import { FormView } from './FormView';
import { Preview } from './Preview';
import { Problems } from './Problems';
import { Status } from './Status';
import { useConfigurationTexts } from './texts';
import { useDraft } from './useDraft';
import { YamlView } from './YamlView';

const CHECK_AFTER = 350;
const VIEWS = ['form', 'yaml', 'preview'] as const;

export default function ConfigurationPage() {
  const say = useConfigurationTexts();
  const { data: file, error, refetch } = useConfigFile();
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      {error !== null && file === undefined && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {file === undefined && error === null && <Loading rows={8} />}
      {file !== undefined && <Editor file={file} />}
    </>
  );
}

function Editor({ file }: { file: ConfigFile }) {
  const say = useConfigurationTexts();
  const queries = useQueryClient();
  const draft = useDraft(file);
  const { view, show } = useView();
  const [search] = useSearchParams();
  const [goTo, setGoTo] = useState<{ line: number } | null>(null);
  const [late] = useDebouncedValue(draft.text, CHECK_AFTER);
  const check = useCheck(late, search.get('model'));
  const [isSaving, setSaving] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const [written, setWritten] = useState<Written | null>(null);
  const isChanged = draft.text !== (file.text ?? '');
  const isCurrent = late === draft.text && !check.isPlaceholderData && !check.isFetching;
  const save = async () => {
    setSaving(true);
    setFailure(null);
    try {
      const found = await writeFile(draft.text, draft.revision);
      queries.setQueryData(FILE_KEY, found);
      draft.restart(found);
      setWritten(found);
      if (found.reload !== null) tellDone(say.done(found.reload.changed.join(', ')));
      await queries.invalidateQueries({ queryKey: ['config', 'check'] });
    } catch (error) {
      setFailure(error);
    }
    setSaving(false);
  };
  const begin = async (keepsMine: boolean) => {
    try {
      const now = await readFile();
      queries.setQueryData(FILE_KEY, now);
      draft.restart(now, keepsMine ? draft.text : undefined);
      setFailure(null);
    } catch (error) {
      setFailure(error);
    }
  };
  const discard = () =>
    confirmFirst({ title: say.discardTitle, text: say.discardText, confirm: say.discard, cancel: say.cancel, onConfirm: () => begin(false) });
  const undo = () => {
    if (file.previous === null) return;
    draft.setText(file.previous.text);
    tellDone(say.undone);
    show('preview');
  };
  const reveal = (line: number) => {
    setGoTo({ line });
    show('yaml');
  };
  return (
    <>
      <Group justify="space-between" mb="sm" gap="sm">
        <Status path={file.path} isNew={file.revision === null} isChanged={isChanged} isCurrent={isCurrent} check={check.data} />
        <Group gap="xs">
          {file.previous !== null && (
            <Tooltip label={say.undoHint(moment(file.previous.modified))}>
              <Button variant="default" leftSection={<IconArrowBackUp size={16} aria-hidden />} onClick={undo} disabled={draft.text === file.previous.text}>
                {say.undo}
              </Button>
            </Tooltip>
          )}
          <Button variant="default" leftSection={<IconTrash size={16} aria-hidden />} onClick={discard} disabled={!isChanged}>
            {say.discard}
          </Button>
          <Button leftSection={<IconDeviceFloppy size={16} aria-hidden />} onClick={() => void save()} loading={isSaving} disabled={!isChanged || !isCurrent || check.data?.valid !== true}>
            {say.save}
          </Button>
        </Group>
      </Group>
      <Outcome written={isChanged ? null : written} failure={failure} onMine={() => void begin(true)} onTheirs={() => void begin(false)} />
      {check.error !== null && <ErrorNotice error={check.error} onRetry={() => void check.refetch()} />}
      <Tabs value={view} onChange={(name) => show(name ?? 'form')} keepMounted={false}>
        <Tabs.List mb="md">
          {VIEWS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {say.views[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="form">
          <FormView check={check.data} text={draft.latest} onText={draft.setText} onReveal={reveal} />
        </Tabs.Panel>
        <Tabs.Panel value="yaml">
          <YamlView text={draft.text} onText={draft.setText} problems={check.data?.problems ?? []} goTo={goTo} />
        </Tabs.Panel>
        <Tabs.Panel value="preview">
          <Preview file={file} text={draft.text} check={check.data} />
        </Tabs.Panel>
      </Tabs>
      <Problems problems={check.data?.problems ?? []} onReveal={reveal} />
    </>
  );
}

/** What came of saving, where it is more than a word in passing. */
function Outcome({ written, failure, onMine, onTheirs }: { written: Written | null; failure: unknown; onMine: () => void; onTheirs: () => void }): ReactNode {
  const say = useConfigurationTexts();
  if (failure instanceof ApiError && failure.status === 409 && failure.param === 'revision') {
    return (
      <Alert role="alert" color="orange" mb="md" title={say.conflict.title}>
        <Text size="sm" mb="xs">
          {say.conflict.text}
        </Text>
        <Group gap="xs">
          <Button size="xs" variant="default" onClick={onMine}>
            {say.conflict.mine}
          </Button>
          <Button size="xs" variant="default" onClick={onTheirs}>
            {say.conflict.theirs}
          </Button>
        </Group>
      </Alert>
    );
  }
  if (failure !== null) return <ErrorNotice error={failure} />;
  if (written?.reload_problem != null) {
    return (
      <Alert role="alert" color="orange" mb="md" title={say.notYet}>
        {written.reload_problem}
      </Alert>
    );
  }
  const later = written?.reload?.later ?? [];
  return later.length === 0 ? null : (
    <Alert role="status" mb="md">
      {say.later(later.join(', '))}
    </Alert>
  );
}

/** The view is in the address, beside the model that the form shows. */
function useView() {
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const name = pathname.split('/')[2];
  const view = VIEWS.find((each) => each === name) ?? 'form';
  return { view, show: (next: string) => void navigate(`/configuration${next === 'form' ? '' : `/${next}`}${search}`) };
}
