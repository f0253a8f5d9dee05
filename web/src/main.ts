import './ui/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './app/App.vue'
import { i18n, preferredLocale, registerMessages, setLocale } from './app/i18n'
import { router } from './app/router'
import { startServiceWorker } from './app/serviceWorker'
import { startShortcuts } from './app/shortcuts'
import { features } from './features'

for (const feature of features) registerMessages(feature.id, feature.locales)
startShortcuts()

void setLocale(preferredLocale()).then(() => {
  createApp(App).use(createPinia()).use(i18n).use(router).mount('#app')
  void startServiceWorker()
})
