import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The page is served by the Go package server/graphiql, whose dist folder is
// this build's output. Every address in it is relative, so that it works below
// any prefix a proxy may add.
export default defineConfig({
  base: './',
  plugins: [react()],
  worker: { format: 'es' },
  build: {
    outDir: '../../server/graphiql/dist',
    emptyOutDir: true,
    target: 'es2022',
    // One style sheet: the editor's rules come before ours whatever chunk
    // happens to load first.
    cssCodeSplit: false,
    sourcemap: false,
    // Data addresses would need wider rules in the content security policy,
    // and small files are cheap over one connection.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4000,
    license: { fileName: 'licenses.md' },
  },
});
