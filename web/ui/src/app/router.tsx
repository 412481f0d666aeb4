import { createBrowserRouter, type RouteObject } from 'react-router';
import { Broken } from './Broken';
import { Guarded } from './Guarded';
import { NotFound } from './NotFound';
import { PAGES, type PageRow } from './pages';
import { Shell } from './Shell';

function routeOf(page: PageRow): RouteObject {
  return {
    path: page.path === '/' ? '/' : `${page.path}/*`,
    errorElement: <Broken />,
    lazy: async () => {
      const { default: Page } = await page.load();
      return {
        element: (
          <Guarded need={page.need}>
            <Page />
          </Guarded>
        ),
      };
    },
  };
}

export const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <Broken />,
    HydrateFallback: () => null,
    children: [...PAGES.map(routeOf), { path: '*', element: <NotFound /> }],
  },
]);
