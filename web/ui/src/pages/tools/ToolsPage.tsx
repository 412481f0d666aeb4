import { Tabs } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Route, Routes, useLocation, useNavigate } from 'react-router';
import { NotFound } from '@/app/NotFound';
import { Loading } from '@/components/Loading';
import { PageHeader } from '@/components/PageHeader';
import { Playground } from './Playground';
import { useToolsTexts } from './texts';

const Structured = lazy(() => import('./structured/Structured'));

const PATHS = { playground: '/tools', structured: '/tools/structured' } as const;
type Tab = keyof typeof PATHS;

export default function ToolsPage() {
  return (
    <Routes>
      <Route index element={<Framed tab="playground" />} />
      <Route path="structured" element={<Framed tab="structured" />} />
      <Route path="*" element={<NotFound />} />
    </Routes>
  );
}

function Framed({ tab }: { tab: Tab }) {
  const say = useToolsTexts();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const go = (value: string | null) => {
    const path = PATHS[(value ?? 'playground') as Tab];
    if (path !== pathname) void navigate(path);
  };
  return (
    <>
      <PageHeader title={say.title} description={say.description} />
      <Tabs value={tab} onChange={go} keepMounted={false}>
        <Tabs.List aria-label={say.parts} mb="md">
          {(Object.keys(PATHS) as Tab[]).map((value) => (
            <Tabs.Tab key={value} value={value}>
              {say.tabs[value]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="playground">
          <Playground />
        </Tabs.Panel>
        <Tabs.Panel value="structured">
          <Suspense fallback={<Loading />}>
            <Structured />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
