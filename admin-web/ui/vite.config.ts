import { convertCssVariables, DEFAULT_THEME, defaultCssVariablesResolver, mergeMantineTheme } from '@mantine/core';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { theme } from './src/shell/theme.ts';

/**
 * The theme's CSS variables as a file. Mantine would otherwise write them into the page as an inline style, which the
 * content security policy (`style-src 'self'`) forbids.
 */
function themeVariables(): Plugin {
  const name = 'virtual:theme.css';
  return {
    name: 'theme-variables',
    resolveId: (id) => (id === name ? `\0${name}` : null),
    load: (id) =>
      id === `\0${name}`
        ? convertCssVariables(defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)))
        : null,
  };
}

const server = process.env.PBX_HTTP_URL ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [react(), themeVariables()],
  server: { port: 5173, fs: { allow: ['.', '../../pbx-core/catalogue'] }, proxy: { '/api': server } },
  preview: { port: 4173, proxy: { '/api': server } },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 600, modulePreload: { polyfill: false } },
});
