import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'
import { api, call, configureClient } from '@/api/client'
import { isApiError } from '@/api/error'
import type { Session, Theme, User, WorkspaceSummary } from '@/api/types'
import { currentLocale, isLocale, setLocale, type Locale } from './i18n'
import { readJson, writeJson } from './storage'
import { setTheme, theme } from './theme'

const LAST_WORKSPACE = 'kanal.workspace'
const SNAPSHOT = 'kanal.session'
/** Set and cleared by the server beside the session's own cookie, which no script can read. */
const MARKER = 'kanal_signed_in'

const farewells = new Set<() => unknown>()

/** What a part of the app has to forget when the person leaves: caches, databases, connections. */
export function onSignedOut(forget: () => unknown): void {
  farewells.add(forget)
}

export const useSession = defineStore('session', () => {
  const session = ref<Session | null>(null)
  /** The question "am I signed in?" has been answered by the server. */
  const known = ref(false)

  const user = computed(() => session.value?.user ?? null)
  const workspaces = computed(() => session.value?.workspaces ?? [])
  const realtime = computed(() => session.value?.realtime ?? null)
  const signedIn = computed(() => session.value !== null)

  /**
   * Asked once by the router, of the server only where somebody has signed in. Without an answer the last known session
   * opens the app for reading; the first request that gets through says whether it still holds.
   */
  async function load(): Promise<void> {
    if (!document.cookie.includes(`${MARKER}=1`)) return end()
    try {
      await accept(await call(api.GET('/api/v1/auth/user')), 'theirs')
    } catch (error) {
      if (!isApiError(error)) throw error
      if (error.kind === 'unauthenticated') return end()
      const remembered = readJson<Session>(SNAPSHOT)
      if (!remembered || !error.retryable) throw error
      session.value = remembered
      known.value = true
      configureClient({ csrf: '' })
    }
  }

  async function signIn(email: string, password: string): Promise<void> {
    await accept(await call(api.POST('/api/v1/auth/login', { body: { email, password } })), 'theirs')
  }

  async function register(input: {
    name: string
    email: string
    password: string
    workspace_name?: string
    invitation?: string
  }): Promise<void> {
    const body = { ...input, locale: currentLocale() }
    await accept(await call(api.POST('/api/v1/auth/register', { body })), 'mine')
  }

  async function signOut(): Promise<void> {
    await call(api.POST('/api/v1/auth/logout'))
    end()
  }

  /** Shown at once; put back when the server refuses. */
  async function update(changes: { name?: string; locale?: Locale; theme?: Theme }): Promise<void> {
    const before = session.value?.user
    const beforeTheme = theme.value
    const beforeLocale = currentLocale()
    if (changes.theme) setTheme(changes.theme)
    if (changes.locale) await setLocale(changes.locale)
    if (!before) return
    setUser({ ...before, ...changes })
    try {
      setUser(await call(api.PATCH('/api/v1/auth/user', { body: changes })))
    } catch (error) {
      setUser(before)
      if (changes.theme) setTheme(beforeTheme)
      if (changes.locale) await setLocale(beforeLocale)
      throw error
    }
  }

  /** The server's word about who this is. After registering, this page's language and theme are the account's. */
  async function accept(next: Session, settings: 'theirs' | 'mine'): Promise<void> {
    session.value = next
    known.value = true
    configureClient({ csrf: next.csrf_token })
    if (settings === 'mine') return
    setTheme(next.user.theme)
    if (isLocale(next.user.locale)) await setLocale(next.user.locale)
  }

  function end(): void {
    const was = session.value ?? readJson<Session>(SNAPSHOT)
    session.value = null
    known.value = true
    configureClient({ csrf: null })
    document.cookie = `${MARKER}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/`
    localStorage.removeItem(SNAPSHOT)
    if (was) for (const forget of farewells) forget()
  }

  function setUser(next: User): void {
    if (session.value) session.value = { ...session.value, user: next }
  }

  function putWorkspace(next: WorkspaceSummary): void {
    if (!session.value) return
    const list = session.value.workspaces
    const known = list.some((workspace) => workspace.id === next.id)
    const workspaces = known ? list.map((workspace) => (workspace.id === next.id ? next : workspace)) : [...list, next]
    session.value = { ...session.value, workspaces }
  }

  function dropWorkspace(id: string): void {
    if (!session.value) return
    session.value = { ...session.value, workspaces: session.value.workspaces.filter((workspace) => workspace.id !== id) }
  }

  function bySlug(slug: string): WorkspaceSummary | null {
    return workspaces.value.find((workspace) => workspace.slug === slug) ?? null
  }

  /** Where "/" leads: the workspace used last in this browser, else the first. */
  function home(): WorkspaceSummary | null {
    return bySlug(localStorage.getItem(LAST_WORKSPACE) ?? '') ?? workspaces.value[0] ?? null
  }

  function remember(slug: string): void {
    localStorage.setItem(LAST_WORKSPACE, slug)
  }

  // The token that lets a page change things isn't kept: a page that starts offline asks for a new one.
  watch(session, (next) => next && writeJson(SNAPSHOT, { ...next, csrf_token: '' }), { deep: true })

  return {
    session, known, user, workspaces, realtime, signedIn,
    load, signIn, register, signOut, update, end, putWorkspace, dropWorkspace, bySlug, home, remember,
  }
})
