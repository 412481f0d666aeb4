import { Autocomplete } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ModelSelect } from '@/components/ModelSelect';
import { type Connection, isThisKronk, modelsOf } from '@/chat/connection';
import { useChatTexts } from './texts';

interface Props {
  connection: Connection;
  model: string;
  onChange: (model: string) => void;
}

/** The model that answers: one of this Kronk's, or whatever another server has. */
export function ModelChoice({ connection, model, onChange }: Props) {
  const say = useChatTexts();
  if (!isThisKronk(connection)) return <Elsewhere key={connection.id} connection={connection} model={model} onChange={onChange} />;
  return <ModelSelect purpose="chat" aria-label={say.panel.model} value={model} onChange={(name) => onChange(name ?? '')} size="sm" w="100%" maw={300} />;
}

function Elsewhere({ connection, model, onChange }: Props) {
  const say = useChatTexts().connection;
  const { data, error } = useQuery({
    queryKey: ['models of', connection.id, connection.base, connection.key],
    queryFn: ({ signal }) => modelsOf(connection, signal),
    staleTime: 60_000,
    retry: false,
  });
  return (
    <Autocomplete
      size="sm"
      w="100%"
      maw={300}
      aria-label={say.models}
      placeholder={say.modelHelp}
      value={model}
      onChange={onChange}
      data={[...new Set(data ?? [])]}
      error={error === null ? undefined : say.notAsked}
      title={error?.message}
    />
  );
}
