import { Building2, KeyRound, LockKeyhole, MonitorSmartphone, Settings, UserRound } from '@lucide/vue'
import type { Feature } from '@/app/feature'
import { atLeast } from '@/app/workspace'

export const feature: Feature = {
  id: 'settings',
  workspaceRoutes: [
    {
      path: 'settings',
      component: () => import('./SettingsLayout.vue'),
      meta: { rail: 'settings' },
      children: [
        { path: '', name: 'settings', component: () => import('./pages/SettingsHome.vue'), meta: { title: 'settings.title' } },
        { path: 'profile', name: 'settings-profile', component: () => import('./pages/Profile.vue'), meta: { title: 'settings.profile.title' } },
        { path: 'password', name: 'settings-password', component: () => import('./pages/Password.vue'), meta: { title: 'settings.password.title' } },
        { path: 'sessions', name: 'settings-sessions', component: () => import('./pages/Sessions.vue'), meta: { title: 'settings.sessions.title' } },
        { path: 'tokens', name: 'settings-tokens', component: () => import('./pages/Tokens.vue'), meta: { title: 'settings.tokens.title' } },
        { path: 'workspace', name: 'settings-workspace', component: () => import('./pages/WorkspaceSettings.vue'), meta: { title: 'settings.workspace.title' } },
      ],
    },
  ],
  rail: [{ id: 'settings', icon: Settings, label: 'settings.title', to: 'settings', order: 90, keys: 'g s' }],
  settings: [
    { id: 'profile', icon: UserRound, label: 'settings.profile.title', to: 'settings-profile', group: 'account', order: 10 },
    { id: 'password', icon: LockKeyhole, label: 'settings.password.title', to: 'settings-password', group: 'account', order: 20 },
    { id: 'sessions', icon: MonitorSmartphone, label: 'settings.sessions.title', to: 'settings-sessions', group: 'account', order: 30 },
    { id: 'tokens', icon: KeyRound, label: 'settings.tokens.title', to: 'settings-tokens', group: 'account', order: 40 },
    {
      id: 'workspace', icon: Building2, label: 'settings.workspace.title', to: 'settings-workspace', group: 'workspace', order: 50,
      visible: (viewer) => atLeast(viewer.role, 'viewer'),
    },
  ],
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
}
