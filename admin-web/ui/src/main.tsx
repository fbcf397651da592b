import '@fontsource-variable/atkinson-hyperlegible-next/index.css';
import '@fontsource-variable/atkinson-hyperlegible-mono/index.css';
import '@mantine/core/styles.css';
import 'virtual:theme.css';
import './shell/base.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router';
import { queryClient } from './api/query_client';
import { startLanguage } from './shell/language';
import { colorSchemes } from './shell/preferences';
import { router } from './shell/router';
import { theme } from './shell/theme';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has an element with the id root');
await startLanguage();
createRoot(root).render(
  <StrictMode>
    {/* Variables and classes come from style sheets alone: no style element is ever written into the page. */}
    <MantineProvider
      theme={theme}
      colorSchemeManager={colorSchemes}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
