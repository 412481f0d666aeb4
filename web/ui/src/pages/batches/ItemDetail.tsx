import { Code, SimpleGrid, Stack, Text } from '@mantine/core';
import { CopyButton } from '@/components/CopyButton';
import { answerOf, type Item } from './items';
import { useBatchTexts } from './texts';

/** A request and its answer, whole. */
export function ItemDetail({ item }: { item: Item }) {
  const say = useBatchTexts().detail;
  const text = item.state === 'answered' ? answerOf(item.response) : '';
  return (
    <Stack gap="sm" py="xs">
      {text !== '' && (
        <Text size="sm" className="breakable" style={{ whiteSpace: 'pre-wrap' }}>
          {text}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, md: item.response === null ? 1 : 2 }}>
        <Json name={say.request} value={item.request} />
        {item.response !== null && <Json name={item.state === 'failed' ? say.error : say.response} value={item.response} />}
      </SimpleGrid>
    </Stack>
  );
}

function Json({ name, value }: { name: string; value: unknown }) {
  const text = JSON.stringify(value, null, 2);
  return (
    <div style={{ minWidth: 0 }}>
      <Text size="sm" fw={600} component="div">
        {name} <CopyButton value={text} />
      </Text>
      <Code block tabIndex={0} role="group" aria-label={name} mah={320} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', overflow: 'auto' }}>
        {text}
      </Code>
    </div>
  );
}
