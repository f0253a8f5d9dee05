import { fileURLToPath } from 'node:url'
import tailwind from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const server = process.env.KANAL_DEV_SERVER ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue(), tailwind()],
  resolve: {
    alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) },
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
  },
  server: {
    proxy: {
      '/api': server,
      '/broadcasting': server,
      '/app': { target: server, ws: true },
    },
  },
})
