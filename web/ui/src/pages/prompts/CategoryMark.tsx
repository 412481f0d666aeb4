import { Badge, Box } from '@mantine/core';
import type { CategoryColor } from '@/api/prompts';

/** A category's colour; its name stands beside it. */
export function Dot({ color }: { color: CategoryColor }) {
  return <Box component="span" w={10} h={10} bg={`${color}.6`} style={{ borderRadius: '50%', flex: 'none', display: 'inline-block' }} aria-hidden />;
}

/** A category by name and colour. */
export function CategoryMark({ name, color }: { name: string; color: CategoryColor }) {
  return (
    <Badge variant="default" tt="none" fw={500} leftSection={<Dot color={color} />}>
      {name}
    </Badge>
  );
}
