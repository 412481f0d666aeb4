import { useParams } from 'react-router';
import { CatalogList } from './CatalogList';
import { EntryPage } from './EntryPage';
import { PullPage } from './PullPage';

/** What can be fetched: the catalog, one of its models, or by name (`/catalog/pull?source=`). */
export default function CatalogPage() {
  const rest = useParams()['*'] ?? '';
  if (rest === '') return <CatalogList />;
  return rest === 'pull' ? <PullPage /> : <EntryPage key={rest} id={rest} />;
}
