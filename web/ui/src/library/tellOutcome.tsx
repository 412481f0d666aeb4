import { Box, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { tellDone } from '@/components/notices';
import type { Outcome } from './importing';
import type { LibraryTexts } from './texts';

/** What an import came to: in passing where all was taken, else with the reasons. */
export function tellOutcome({ imported, refused }: Outcome, say: LibraryTexts): void {
  if (refused.length === 0) {
    tellDone(say.imported(imported));
    return;
  }
  modals.open({
    title: say.outcome(imported, refused.length),
    size: 'lg',
    children: (
      <Box component="ul" m={0} pl="md">
        {refused.map(({ title, message }, place) => (
          <li key={place}>
            <Text size="sm" className="breakable">
              <b>{title ?? say.unnamed}</b>: {message}
            </Text>
          </li>
        ))}
      </Box>
    ),
  });
}
