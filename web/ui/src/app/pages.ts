import {
  type Icon,
  IconAdjustments,
  IconBook,
  IconBooks,
  IconCloudDownload,
  IconColumns,
  IconCpu,
  IconDownload,
  IconFileText,
  IconGauge,
  IconMessage2,
  IconMessages,
  IconPackages,
  IconQuote,
  IconRulerMeasure,
  IconSettings,
  IconShieldLock,
  IconStack2,
  IconStopwatch,
  IconTool,
} from '@tabler/icons-react';
import type { ComponentType } from 'react';
import type { Need } from '@/session/session';

export type Group = 'use' | 'models' | 'work' | 'operate';
export type PageName = 'dashboard' | 'chat' | 'compare' | 'conversations' | 'prompts' | 'tools' | 'models' | 'running' | 'catalog' | 'downloads' | 'configuration' | 'estimator' | 'libraries' | 'benchmark' | 'batches' | 'security' | 'logs' | 'settings' | 'docs';

export interface PageRow {
  name: PageName;
  /** Where it is; what follows it belongs to the page, too. */
  path: string;
  group: Group;
  icon: Icon;
  need: Need;
  load: () => Promise<{ default: ComponentType }>;
}

/** All pages, in the order of the navigation. The server answers for the same paths
 * (`gateway/site.py`), and `tests/browser` opens each. */
export const PAGES: readonly PageRow[] = [
  { name: 'dashboard', path: '/', group: 'use', icon: IconGauge, need: 'user', load: () => import('@/pages/dashboard/DashboardPage') },
  { name: 'chat', path: '/chat', group: 'use', icon: IconMessage2, need: 'user', load: () => import('@/pages/chat/ChatPage') },
  { name: 'compare', path: '/compare', group: 'use', icon: IconColumns, need: 'user', load: () => import('@/pages/compare/ComparePage') },
  { name: 'conversations', path: '/conversations', group: 'use', icon: IconMessages, need: 'user', load: () => import('@/pages/conversations/ConversationsPage') },
  { name: 'prompts', path: '/prompts', group: 'use', icon: IconQuote, need: 'user', load: () => import('@/pages/prompts/PromptsPage') },
  { name: 'tools', path: '/tools', group: 'use', icon: IconTool, need: 'user', load: () => import('@/pages/tools/ToolsPage') },
  { name: 'models', path: '/models', group: 'models', icon: IconBooks, need: 'user', load: () => import('@/pages/models/ModelsPage') },
  { name: 'running', path: '/running', group: 'models', icon: IconCpu, need: 'admin', load: () => import('@/pages/running/RunningPage') },
  { name: 'catalog', path: '/catalog', group: 'models', icon: IconCloudDownload, need: 'admin', load: () => import('@/pages/catalog/CatalogPage') },
  { name: 'downloads', path: '/downloads', group: 'models', icon: IconDownload, need: 'admin', load: () => import('@/pages/downloads/DownloadsPage') },
  { name: 'configuration', path: '/configuration', group: 'models', icon: IconAdjustments, need: 'admin', load: () => import('@/pages/configuration/ConfigurationPage') },
  { name: 'estimator', path: '/estimator', group: 'models', icon: IconRulerMeasure, need: 'admin', load: () => import('@/pages/estimator/EstimatorPage') },
  { name: 'libraries', path: '/libraries', group: 'models', icon: IconPackages, need: 'user', load: () => import('@/pages/libraries/LibrariesPage') },
  { name: 'benchmark', path: '/benchmark', group: 'work', icon: IconStopwatch, need: 'admin', load: () => import('@/pages/benchmark/BenchmarkPage') },
  { name: 'batches', path: '/batches', group: 'work', icon: IconStack2, need: 'user', load: () => import('@/pages/batches/BatchesPage') },
  { name: 'security', path: '/security', group: 'operate', icon: IconShieldLock, need: 'admin', load: () => import('@/pages/security/SecurityPage') },
  { name: 'logs', path: '/logs', group: 'operate', icon: IconFileText, need: 'admin', load: () => import('@/pages/logs/LogsPage') },
  { name: 'settings', path: '/settings', group: 'operate', icon: IconSettings, need: 'nobody', load: () => import('@/pages/settings/SettingsPage') },
  { name: 'docs', path: '/docs', group: 'operate', icon: IconBook, need: 'nobody', load: () => import('@/pages/docs/DocsPage') },
];
