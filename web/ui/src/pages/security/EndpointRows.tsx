import { Checkbox, Group, Select, Stack, TextInput } from '@mantine/core';
import { useSecurityTexts } from './texts';
import { type Endpoint, ENDPOINTS, type Faults, type Grant, type TokenForm, WINDOWS } from './wish';

interface Props {
  grants: TokenForm['endpoints'];
  faults: Faults;
  onChange: (grants: TokenForm['endpoints']) => void;
}

/** Each endpoint with its limit, where it is granted. */
export function EndpointRows({ grants, faults, onChange }: Props) {
  const say = useSecurityTexts();
  const put = (name: Endpoint, part: Partial<Grant>) => onChange({ ...grants, [name]: { ...grants[name], ...part } });
  return (
    <Stack gap={6} mt={4}>
      {ENDPOINTS.map((name) => {
        const grant = grants[name];
        const fault = faults[name];
        return (
          <Group key={name} gap="xs" align="flex-start" mih={36}>
            <Checkbox label={name} checked={grant.isGranted} onChange={(event) => put(name, { isGranted: event.currentTarget.checked })} w={170} mt={8} />
            {grant.isGranted && (
              <Select
                aria-label={say.create.window(name)}
                w={130}
                allowDeselect={false}
                data={WINDOWS.map((window) => ({ value: window, label: window === 'unlimited' ? say.tokens.windows.unlimited : `${say.create.per} ${say.tokens.windows[window]}` }))}
                value={grant.window}
                onChange={(window) => put(name, { window: window ?? 'unlimited' })}
              />
            )}
            {grant.isGranted && grant.window !== 'unlimited' && (
              <TextInput
                aria-label={say.create.calls(name)}
                placeholder="1000"
                w={110}
                inputMode="numeric"
                value={grant.limit}
                error={fault === undefined ? undefined : say.create.faults[fault]}
                onChange={(event) => put(name, { limit: event.currentTarget.value })}
              />
            )}
          </Group>
        );
      })}
    </Stack>
  );
}
