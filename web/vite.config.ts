import { fileURLToPath } from 'node:url'
import tailwind from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const server = process.env.DEV_SERVER ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue(), tailwind()],
  resolve: {
    alias: {
      '@': fileURLToPath(new URL('./src', import.meta.url)),
      entities: fileURLToPath(new URL('./src/features/rooms/text/entities.ts', import.meta.url)),
    },
  },
  define: {
    __VUE_I18N_LEGACY_API__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __VUE_OPTIONS_API__: false,
  },
  build: {
    outDir: fileURLToPath(new URL('../src/kanal/entrypoints/static', import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: URLs would need a wider content security policy
    reportCompressedSize: false,
    manifest: 'files.json', // the service worker's list, see src/app/serviceWorker.ts
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'], // the first with light-dark(), which the tokens rest on
    rolldownOptions: {
      input: ['index.html', 'console.html'], // the second is the real-time server's own page, see src/features/realtime
      output: {
        codeSplitting: {
          groups: [
            { name: 'vue', test: /node_modules\/(@vue|vue|vue-router|vue-i18n|@intlify|pinia)\//, priority: 3 },
            // One file per language instead of one per feature and language.
            { debugName: 'locales', name: (id) => /\/locales\/(en|id|ja)\.json$/.exec(id)?.[1] ?? null, priority: 2 },
            // What several pages share, in one file instead of forty.
            { name: 'base', test: /\/src\/(app|api|ui)\/|node_modules\//, minShareCount: 6, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      // The server compares Origin with Host, so both must be the browser's.
      '/api': { target: server, changeOrigin: false },
      '/broadcasting': { target: server, changeOrigin: false },
      '/app': { target: server, ws: true },
    },
  },
})
