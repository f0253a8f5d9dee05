import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { api, call, configureClient } from '@/api/client'
import { isApiError } from '@/api/error'
import type { Session, Theme, User, WorkspaceSummary } from '@/api/types'
import { currentLocale, isLocale, setLocale, type Locale } from './i18n'
import { setTheme, theme } from './theme'

const LAST_WORKSPACE = 'kanal.workspace'

export const useSession = defineStore('session', () => {
  const session = ref<Session | null>(null)
  /** The question "am I signed in?" has been answered by the server. */
  const known = ref(false)

  const user = computed(() => session.value?.user ?? null)
  const workspaces = computed(() => session.value?.workspaces ?? [])
  const realtime = computed(() => session.value?.realtime ?? null)
  const signedIn = computed(() => session.value !== null)

  /** Asked once by the router; without a connection it stays unknown and the error goes to the caller. */
  async function load(): Promise<void> {
    try {
      await accept(await call(api.GET('/api/v1/auth/user')), 'theirs')
    } catch (error) {
      if (!isApiError(error) || error.kind !== 'unauthenticated') throw error
      end()
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
    session.value = null
    known.value = true
    configureClient({ csrf: null })
  }

  function setUser(next: User): void {
    if (session.value) session.value = { ...session.value, user: next }
  }

  function putWorkspace(next: WorkspaceSummary): void {
    if (!session.value) return
    const others = session.value.workspaces.filter((workspace) => workspace.id !== next.id)
    session.value = { ...session.value, workspaces: [...others, next] }
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

  return {
    session, known, user, workspaces, realtime, signedIn,
    load, signIn, register, signOut, update, end, putWorkspace, dropWorkspace, bySlug, home, remember,
  }
})
