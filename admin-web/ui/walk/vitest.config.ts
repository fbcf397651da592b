import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../node_modules/.vite',
  // A browser on a machine that does other things too has a second try.
  test: { include: ['*.walk.ts'], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false, retry: 1 },
});
