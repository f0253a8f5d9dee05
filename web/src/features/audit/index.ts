import { ScrollText } from '@lucide/vue'
import type { Feature } from '@/app/feature'
import { atLeast } from '@/app/workspace'

export const feature: Feature = {
  id: 'audit',
  workspaceRoutes: [{ path: 'audit', name: 'audit', component: () => import('./pages/AuditLog.vue'), meta: { title: 'audit.title', role: 'admin' } }],
  rail: [{ id: 'audit', icon: ScrollText, label: 'audit.title', to: 'audit', order: 70, keys: 'g a', bar: false, visible: (viewer) => atLeast(viewer.role, 'admin') }],
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
}
