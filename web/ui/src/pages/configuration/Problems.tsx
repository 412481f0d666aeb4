import { Anchor, Group, List, Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleX } from '@tabler/icons-react';
import { Section } from '@/components/Section';
import type { Problem } from './api';
import { useConfigurationTexts } from './texts';

/** All that is wrong, each a way to its line. */
export function Problems({ problems, onReveal }: { problems: readonly Problem[]; onReveal: (line: number) => void }) {
  const say = useConfigurationTexts();
  if (problems.length === 0) return null;
  return (
    <Section title={say.problems} mt="md">
      <List spacing={6} listStyleType="none" withPadding={false}>
        {problems.map((problem, at) => (
          <List.Item key={`${at} ${problem.where}`} styles={{ itemWrapper: { display: 'block' }, itemLabel: { display: 'block' } }}>
            <Group gap={8} wrap="nowrap" align="flex-start">
              <Picture severity={problem.severity} />
              <Text size="sm" className="breakable">
                {problem.line !== null && (
                  <>
                    <Anchor component="button" type="button" size="sm" onClick={() => onReveal(problem.line ?? 1)}>
                      {say.line(problem.line)}
                    </Anchor>
                    {': '}
                  </>
                )}
                {problem.message}
              </Text>
            </Group>
          </List.Item>
        ))}
      </List>
    </Section>
  );
}

function Picture({ severity }: { severity: Problem['severity'] }) {
  const say = useConfigurationTexts();
  const Icon = severity === 'error' ? IconCircleX : IconAlertTriangle;
  const color = severity === 'error' ? 'red' : 'orange';
  return <Icon size={18} role="img" aria-label={say.severity[severity]} color={`var(--mantine-color-${color}-6)`} style={{ flex: 'none', marginTop: 2 }} />;
}
