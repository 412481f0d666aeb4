import path from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { compress } from './build/compress.ts';
import { componentStyles } from './build/styles.ts';

// `npm run dev` asks a Kronk that runs here; it takes the page for its own.
const server = process.env.KRONK_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), componentStyles(), compress()],
  resolve: { alias: { '@': path.resolve(import.meta.dirname, 'src') } },
  build: {
    outDir: '../static',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    // Pages are loaded when they are opened: a warning about a big one helps nobody.
    chunkSizeWarningLimit: 1500,
  },
  server: {
    proxy: { '/v1': { target: server, changeOrigin: true, ws: true }, '/api': { target: server, changeOrigin: true }, '/openapi.json': { target: server, changeOrigin: true } },
  },
  // One environment for many files: making one takes longer than the tests do.
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'], pool: 'threads', isolate: false },
});
