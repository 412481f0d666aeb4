import { Badge, Group, Text } from '@mantine/core';
import type { Check } from './api';
import { useConfigurationTexts } from './texts';

interface Props {
  path: string;
  isNew: boolean;
  isChanged: boolean;
  /** Whether `check` is about the text as it is now. */
  isCurrent: boolean;
  check: Check | undefined;
}

/** Which file it is, and whether what is written could be saved. */
export function Status({ path, isNew, isChanged, isCurrent, check }: Props) {
  const say = useConfigurationTexts();
  const mistakes = check?.problems.filter((problem) => problem.severity === 'error').length ?? 0;
  const warnings = check?.problems.filter((problem) => problem.severity === 'warning').length ?? 0;
  return (
    <div style={{ minWidth: 0, flex: '1 1 20rem' }}>
      <Text size="sm" className="breakable">
        <Text span size="sm" c="dimmed">
          {say.file}:{' '}
        </Text>
        {path}
      </Text>
      {isNew && (
        <Text size="xs" c="dimmed">
          {say.newFile}
        </Text>
      )}
      <Group gap={6} mt={4} role="status">
        <Badge variant="light" tt="none" color={isChanged ? 'orange' : 'gray'} autoContrast>
          {isChanged ? say.state.unsaved : say.state.saved}
        </Badge>
        {!isCurrent && (
          <Badge variant="light" tt="none" color="gray">
            {say.state.checking}
          </Badge>
        )}
        {isCurrent && mistakes === 0 && (
          <Badge variant="light" tt="none" color="teal">
            {say.state.valid}
          </Badge>
        )}
        {mistakes > 0 && (
          <Badge variant="light" tt="none" color="red">
            {say.mistakes(mistakes)}
          </Badge>
        )}
        {warnings > 0 && (
          <Badge variant="light" tt="none" color="orange">
            {say.warnings(warnings)}
          </Badge>
        )}
      </Group>
    </div>
  );
}
