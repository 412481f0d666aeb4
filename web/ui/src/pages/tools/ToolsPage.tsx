import { PageHeader } from '@/components/PageHeader';
import { Playground } from './Playground';
import { useToolsTexts } from './texts';

export default function ToolsPage() {
  const say = useToolsTexts();
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      <Playground />
    </>
  );
}
