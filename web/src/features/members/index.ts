import { Users } from '@lucide/vue'
import type { Feature } from '@/app/feature'

export const feature: Feature = {
  id: 'members',
  workspaceRoutes: [{ path: 'members', name: 'members', component: () => import('./pages/Members.vue'), meta: { title: 'members.title' } }],
  rail: [{ id: 'members', icon: Users, label: 'members.title', to: 'members', order: 40, keys: 'g m' }],
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
}
