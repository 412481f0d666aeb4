import { useParams } from 'react-router';
import { ModelList } from './ModelList';
import { ModelPage } from './ModelPage';

/** All models; below it each has its own address, slashes of its id and all. */
export default function ModelsPage() {
  const model = useParams()['*'] ?? '';
  return model === '' ? <ModelList /> : <ModelPage key={model} model={model} />;
}
