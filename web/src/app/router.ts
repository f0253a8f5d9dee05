import { shallowRef } from 'vue'
import { createRouter, createWebHistory, type RouteLocationNormalized, type RouteLocationRaw } from 'vue-router'
import { features } from '@/features'
import { toast } from '@/ui/toast'
import { t } from './i18n'
import { useSession } from './session'
import { useWorkspace } from './workspace'

/** Why the app could not even start; App.vue shows it and asks again. */
export const startupFailure = shallowRef<{ error: unknown; wanted: string } | null>(null)

const inWorkspace = features.flatMap((feature) => feature.workspaceRoutes ?? [])

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'home', component: () => import('./pages/Blank.vue') },
    ...features.flatMap((feature) => feature.routes ?? []),
    {
      path: '/w/:slug',
      component: () => import('./shell/WorkspaceShell.vue'),
      children: [
        { path: '', name: 'workspace', redirect: () => firstEntry() },
        ...inWorkspace,
        { path: ':rest(.*)*', name: 'workspace-not-found', component: () => import('./pages/NotFound.vue'), meta: { title: 'app.notFound.title' } },
      ],
    },
    { path: '/:rest(.*)*', name: 'not-found', component: () => import('./pages/NotFound.vue'), meta: { public: true, title: 'app.notFound.title' } },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

/** Where a workspace opens: the rail's first entry this person may see. */
function firstEntry(): RouteLocationRaw {
  const session = useSession()
  const viewer = { role: useWorkspace().role, operator: session.user?.is_operator ?? false }
  const entries = features.flatMap((feature) => feature.rail ?? []).sort((a, b) => a.order - b.order)
  return { name: entries.find((entry) => entry.visible?.(viewer) ?? true)?.to ?? 'workspace-not-found' }
}

router.beforeEach(async (to) => {
  const session = useSession()
  if (!session.known) {
    try {
      await session.load()
    } catch (error) {
      startupFailure.value = { error, wanted: to.fullPath }
      return false
    }
  }
  startupFailure.value = null
  if (to.meta.guest && session.signedIn) return returnAddress(to) ?? homeRoute()
  if (to.meta.public || to.meta.guest) return true
  if (!session.signedIn) return { name: 'sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
  if (to.name === 'home') return homeRoute()
  return true
})

/** A page whose file can't be had: without a network it has to wait; otherwise a newer version has other files. */
router.onError((error, to) => {
  if (!/dynamically imported module|module script failed|preload/i.test(String(error))) return
  if (navigator.onLine) location.assign(to.fullPath)
  else toast(t('app.offline.page'), { tone: 'danger' })
})

export function homeRoute(): RouteLocationRaw {
  const home = useSession().home()
  return home ? `/w/${home.slug}` : { name: 'create-workspace' }
}

/** `?next=` when it is a path of ours; anything else would be an open redirect. */
export function returnAddress(route: RouteLocationNormalized): string | null {
  const next = route.query.next
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : null
}
