import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Session } from '@/api/types'
import { currentLocale } from './i18n'
import { onSignedOut, useSession } from './session'
import { theme } from './theme'

const SESSION: Session = {
  user: { id: 'u1', name: 'Sari', email: 'sari@example.com', locale: 'id', theme: 'dark', is_operator: false, avatar_color: null, created_at: '2026-11-20T00:00:00.000Z' },
  csrf_token: 'secret',
  workspaces: [
    { id: 'w1', name: 'Acme', slug: 'acme', role: 'owner', status: 'active', plan: 'free' },
    { id: 'w2', name: 'Other', slug: 'other', role: 'agent', status: 'active', plan: 'free' },
  ],
  realtime: { key: 'k', path: '/app', auth_endpoint: '/broadcasting/auth' },
}

let routes: Record<string, () => Response>
const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
const refuse = (status: number) => () => json(status, { error: { code: 'x.y', message: 'No.', request_id: 'r' } })

beforeEach(() => {
  document.cookie = 'kanal_signed_in=1; Path=/'
  setActivePinia(createPinia())
  routes = { 'GET /api/v1/auth/user': () => json(200, SESSION) }
  vi.stubGlobal('fetch', async (request: Request) => {
    const handler = routes[`${request.method} ${new URL(request.url).pathname}`]
    if (!handler) throw new TypeError('Failed to fetch')
    return handler()
  })
})

describe('opening the app', () => {
  it("takes over the account's language and theme", async () => {
    await useSession().load()
    expect(useSession().user?.name).toBe('Sari')
    expect(currentLocale()).toBe('id')
    expect(theme.value).toBe('dark')
  })

  it('knows when nobody is signed in', async () => {
    routes['GET /api/v1/auth/user'] = refuse(401)
    await useSession().load()
    expect(useSession()).toMatchObject({ known: true, signedIn: false })
  })

  it('asks nobody where nobody has signed in', async () => {
    document.cookie = 'kanal_signed_in=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/'
    const asked = vi.fn(refuse(401))
    routes['GET /api/v1/auth/user'] = asked
    await useSession().load()
    expect(useSession()).toMatchObject({ known: true, signedIn: false })
    expect(asked).not.toHaveBeenCalled()
  })

  it('forgets that somebody had signed in once the session has ended', async () => {
    routes['GET /api/v1/auth/user'] = refuse(401)
    await useSession().load()
    expect(document.cookie).not.toContain('kanal_signed_in')
  })

  it('opens with the last session when the server is away, without its CSRF token', async () => {
    await useSession().load()
    await Promise.resolve()
    setActivePinia(createPinia())
    routes = {}
    await useSession().load()
    expect(useSession().user?.name).toBe('Sari')
    expect(useSession().session?.csrf_token).toBe('')
  })

  it('says so when the server is away and nothing is remembered', async () => {
    routes = {}
    await expect(useSession().load()).rejects.toMatchObject({ kind: 'network' })
    expect(useSession().known).toBe(false)
  })
})

describe('changing the profile', () => {
  it('shows at once and rolls back what the server refuses', async () => {
    const session = useSession()
    await session.load()
    routes['PATCH /api/v1/auth/user'] = refuse(422)
    const saving = session.update({ theme: 'light', locale: 'ja', name: 'S' })
    expect(theme.value).toBe('light')
    await expect(saving).rejects.toMatchObject({ kind: 'invalid' })
    expect(theme.value).toBe('dark')
    expect(currentLocale()).toBe('id')
    expect(session.user?.name).toBe('Sari')
  })
})

describe('signing out', () => {
  it('makes every part of the app forget', async () => {
    const forget = vi.fn()
    onSignedOut(forget)
    const session = useSession()
    await session.load()
    routes['POST /api/v1/auth/logout'] = () => new Response(null, { status: 204 })
    await session.signOut()
    expect(session.signedIn).toBe(false)
    expect(forget).toHaveBeenCalledOnce()
    expect(localStorage.getItem('kanal.session')).toBeNull()
  })
})

describe('workspaces', () => {
  it('opens the one used last, else the first', async () => {
    const session = useSession()
    await session.load()
    expect(session.home()?.slug).toBe('acme')
    session.remember('other')
    expect(session.home()?.slug).toBe('other')
    session.dropWorkspace('w2')
    expect(session.home()?.slug).toBe('acme')
  })

  it('keep their order when one changes', async () => {
    const session = useSession()
    await session.load()
    session.putWorkspace({ ...SESSION.workspaces[0]!, name: 'Acme 2' })
    expect(session.workspaces.map((one) => one.name)).toEqual(['Acme 2', 'Other'])
  })
})
