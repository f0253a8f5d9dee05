import { Activity } from '@lucide/vue'
import type { Feature } from '@/app/feature'

export const feature: Feature = {
  id: 'realtime',
  workspaceRoutes: [
    { path: 'admin/realtime', name: 'admin-realtime', component: () => import('./pages/OperatorConsole.vue'), meta: { title: 'realtime.title', operator: true } },
  ],
  rail: [{ id: 'admin-realtime', icon: Activity, label: 'realtime.title', to: 'admin-realtime', order: 85, bar: false, visible: (viewer) => viewer.operator }],
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
}
