import { Badge, Group } from '@mantine/core';
import { texts } from '@/text/texts';
import { purposesOf, type Told } from './modelOptions';

const useWords = texts({
  en: { embeddings: 'Embeddings', rerank: 'Reranking', vision: 'Images', audio: 'Sound', tools: 'Tools', reasoning: 'Thinking', text: 'Text' },
  de: { embeddings: 'Embeddings', rerank: 'Reranking', vision: 'Bilder', audio: 'Ton', tools: 'Werkzeuge', reasoning: 'Denken', text: 'Text' },
});

/** What a model is for, in short words. */
export function Purposes({ capabilities, size = 'sm' }: { capabilities: readonly string[]; size?: 'xs' | 'sm' }) {
  const say = useWords();
  return (
    <Group gap={4} component="span">
      {purposesOf(capabilities).map((one) => (
        <Badge key={one} component="span" variant="default" size={size} tt="none" fw={500}>
          {say[one]}
        </Badge>
      ))}
    </Group>
  );
}

/** The word for one of them. */
export function usePurposeWord(): (purpose: Told) => string {
  const say = useWords();
  return (purpose) => say[purpose];
}
