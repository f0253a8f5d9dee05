import '@/ui/base.css'
import { createApp } from 'vue'
import { i18n, preferredLocale, registerMessages, setLocale } from '@/app/i18n'
import { startShortcuts } from '@/app/shortcuts'
import { feature } from '..'
import Standalone from './Standalone.vue'

/** The console by itself, as the real-time server shows it without the rest of Kanal: no accounts, no router. */
registerMessages(feature.id, feature.locales)
startShortcuts()

void setLocale(preferredLocale()).then(() => createApp(Standalone).use(i18n).mount('#app'))
