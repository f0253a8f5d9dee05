import type { Feature } from '@/app/feature'

export const feature: Feature = {
  id: 'auth',
  routes: [
    { path: '/sign-in', name: 'sign-in', component: () => import('./pages/SignIn.vue'), meta: { guest: true, title: 'auth.signIn.title' } },
    { path: '/register', name: 'register', component: () => import('./pages/Register.vue'), meta: { guest: true, title: 'auth.register.title' } },
    { path: '/forgot-password', name: 'forgot-password', component: () => import('./pages/ForgotPassword.vue'), meta: { public: true, title: 'auth.forgot.title' } },
    { path: '/reset-password/:token', name: 'reset-password', component: () => import('./pages/ResetPassword.vue'), meta: { public: true, title: 'auth.reset.title' } },
    { path: '/invitations/:token', name: 'invitation', component: () => import('./pages/AcceptInvitation.vue'), meta: { public: true, title: 'auth.invitation.title' } },
    { path: '/new-workspace', name: 'create-workspace', component: () => import('./pages/CreateWorkspace.vue'), meta: { title: 'auth.workspace.title' } },
  ],
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
}
