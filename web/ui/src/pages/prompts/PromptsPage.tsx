import { useParams } from 'react-router';
import { EditorPage } from './EditorPage';
import { LibraryPage } from './LibraryPage';

/** The library at /prompts, and one prompt below it. */
export default function PromptsPage() {
  const id = useParams()['*'] ?? '';
  return id === '' ? <LibraryPage /> : <EditorPage id={id} />;
}
