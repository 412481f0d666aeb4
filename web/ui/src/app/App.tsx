import { MantineProvider, mergeThemeOverrides } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import { RouterProvider } from 'react-router';
import { ApiError } from '@/api/errors';
import { usePreferences } from '@/preferences/preferences';
import { writeFiguresIn } from '@/text/format';
import { type Language, LanguageContext, preferredLanguage } from '@/text/language';
import { router } from './router';
import { cssVariables, theme } from './theme';

const LEAST_TRIES = 2;
// The crosses of dialogs and notices have no name of their own.
const CLOSE: Record<Language, string> = { en: 'Close', de: 'Schließen' };

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // What the server refuses it refuses again; a server that restarts comes back.
      retry: (failures, error) => error instanceof ApiError && (error.status === 0 || error.status >= 502) && failures < LEAST_TRIES,
    },
  },
});

export function App() {
  const { language } = usePreferences();
  const spoken = language === 'auto' ? preferredLanguage(navigator.languages) : language;
  // Before anything below writes one.
  writeFiguresIn(spoken);
  useEffect(() => {
    document.documentElement.lang = spoken;
  }, [spoken]);
  const named = useMemo(() => mergeThemeOverrides(theme, { components: { CloseButton: { defaultProps: { 'aria-label': CLOSE[spoken] } } } }), [spoken]);
  return (
    <MantineProvider theme={named} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <LanguageContext value={spoken}>
          <ModalsProvider>
            <Notifications position="bottom-right" />
            <RouterProvider router={router} />
          </ModalsProvider>
        </LanguageContext>
      </QueryClientProvider>
    </MantineProvider>
  );
}
