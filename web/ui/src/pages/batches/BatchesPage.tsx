import { Route, Routes } from 'react-router';
import { BatchList } from './BatchList';
import { BatchPage } from './BatchPage';
import { NewBatch } from './NewBatch';

export default function BatchesPage() {
  return (
    <Routes>
      <Route index element={<BatchList />} />
      <Route path="new" element={<NewBatch />} />
      <Route path=":id" element={<BatchPage />} />
    </Routes>
  );
}
