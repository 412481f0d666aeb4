import { Alert, Anchor, Group, Loader, Text } from '@mantine/core';
import { IconCircleCheck, IconCircleX, IconClock, IconHelpCircle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { estimateQuery, type Verdict } from '@/api/catalog';
import { address } from '@/api/http';
import { bytes, figure } from '@/text/format';
import { useModelTexts } from './texts';

const LOOKS = {
  fits: { color: 'teal', icon: IconCircleCheck },
  fits_without_idle: { color: 'teal', icon: IconCircleCheck },
  has_to_wait: { color: 'orange', icon: IconClock },
  does_not_fit: { color: 'red', icon: IconCircleX },
} satisfies Record<Verdict, unknown>;

/** Whether a model here, of the catalog, or of a source fits this machine: the server's own verdict. */
export function Fit({ asked }: { asked: { model: string } | { source: string } }) {
  const say = useModelTexts();
  const { data, error, isFetching } = useQuery(estimateQuery(asked));
  if (data === undefined && isFetching) {
    return (
      <Group gap="xs" role="status">
        <Loader size="xs" aria-hidden />
        <Text size="sm">{say.fit.asking}</Text>
      </Group>
    );
  }
  if (data === undefined) {
    return (
      <Alert color="gray" p="xs" icon={<IconHelpCircle size={18} aria-hidden />} title={say.fit.unknown}>
        <Text size="sm" className="breakable">
          {error?.message}
        </Text>
      </Alert>
    );
  }
  const { color, icon: Picture } = LOOKS[data.verdict];
  const { context_window: context, n_seq_max: slots } = data.settings;
  return (
    <Alert color={color} p="xs" icon={<Picture size={18} aria-hidden />} title={say.verdicts[data.verdict]}>
      <Text size="sm" className="numbers">
        {say.fit.takes(bytes(data.predicted.bytes), figure(context), figure(slots))} {data.largest_context > 0 && say.fit.largest(figure(data.largest_context))}{' '}
        <Anchor component={Link} to={address('/estimator', 'model' in asked ? asked : { from: 'hub', model: asked.source })} size="sm" c="inherit" td="underline">
          {say.fit.more}
        </Anchor>
      </Text>
    </Alert>
  );
}
