import { Alert, Code, List, Spoiler, Stack, Table, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { type Prepared, promptOf } from './requests';
import type { Problem } from './sources';
import { useBatchTexts } from './texts';

const MOST_SHOWN = 5;
const MOST_PROBLEMS = 20;

/** The first requests as they will be sent, and what is wrong with which line. */
export function Preview({ prepared }: { prepared: Prepared }) {
  const say = useBatchTexts().new;
  const { requests, problems } = prepared;
  if (requests.length === 0 && problems.length === 0) return <Text c="dimmed">{say.nothing}</Text>;
  const shown = requests.slice(0, MOST_SHOWN);
  return (
    <Stack gap="sm">
      {problems.length > 0 && <Problems problems={problems} />}
      {shown.length > 0 && (
        <>
          <Text size="sm">{say.firstOf(shown.length, requests.length)}</Text>
          <Table.ScrollContainer minWidth={560}>
            <Table layout="fixed" aria-label={say.preview}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th w={64}>{say.columns.line}</Table.Th>
                  <Table.Th w={130}>{say.columns.id}</Table.Th>
                  <Table.Th>{say.columns.prompt}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {shown.map(({ line, request }) => (
                  <Table.Tr key={`${line} ${request.custom_id}`}>
                    <Table.Td>{line}</Table.Td>
                    <Table.Td className="breakable">{request.custom_id}</Table.Td>
                    <Table.Td className="breakable">
                      <Text size="sm" lineClamp={3}>
                        {promptOf(request.body)}
                      </Text>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
          <Spoiler maxHeight={0} showLabel={say.show} hideLabel={say.show}>
            <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
              {JSON.stringify(shown[0]?.request, null, 2)}
            </Code>
          </Spoiler>
        </>
      )}
    </Stack>
  );
}

function Problems({ problems }: { problems: readonly Problem[] }) {
  const say = useBatchTexts();
  return (
    <Alert color="red" role="alert" icon={<IconAlertTriangle aria-hidden />} title={say.new.wrong(problems.length)}>
      <List size="sm">
        {problems.slice(0, MOST_PROBLEMS).map(({ line, kind, detail }, at) => {
          const words = say.problems[kind](detail);
          return (
            <List.Item key={`${line ?? ''} ${kind} ${at}`} className="breakable">
              {line === null ? words : say.new.inLine(line, words)}
            </List.Item>
          );
        })}
        {problems.length > MOST_PROBLEMS && <List.Item>{say.new.moreProblems(problems.length - MOST_PROBLEMS)}</List.Item>}
      </List>
    </Alert>
  );
}
