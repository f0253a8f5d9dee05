import { Mails } from '@lucide/vue'
import type { Feature } from '@/app/feature'

export const feature: Feature = {
  id: 'admin',
  workspaceRoutes: [{ path: 'admin/mail', name: 'admin-mail', component: () => import('./pages/OutgoingMail.vue'), meta: { title: 'admin.mail.title', operator: true } }],
  rail: [{ id: 'admin-mail', icon: Mails, label: 'admin.mail.title', to: 'admin-mail', order: 80, bar: false, visible: (viewer) => viewer.operator }],
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
}
