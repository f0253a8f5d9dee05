import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Member } from '@/api/types'
import { useSession } from './session'
import { atLeast, useWorkspace } from './workspace'

const member = (version: number, more: Partial<Member> = {}): Member => ({
  user_id: 'u2', name: 'Budi', email: 'budi@example.com', role: 'agent', status: 'active', joined_at: '2026-11-20T00:00:00.000Z', version, ...more,
})

beforeEach(() => setActivePinia(createPinia()))

describe('roles', () => {
  it('are ordered', () => {
    expect(atLeast('owner', 'admin')).toBe(true)
    expect(atLeast('agent', 'admin')).toBe(false)
    expect(atLeast(null, 'viewer')).toBe(false)
  })
})

describe('the directory of people', () => {
  it('ignores what is older than what it knows', () => {
    const workspace = useWorkspace()
    workspace.applyMember(member(3, { name: 'Budi Santoso' }))
    workspace.applyMember(member(2, { name: 'Old name' }))
    expect(workspace.members.get('u2')?.name).toBe('Budi Santoso')
  })

  it('keeps removed people for the names of their messages', () => {
    const workspace = useWorkspace()
    workspace.applyMember(member(2, { status: 'removed' }))
    expect(workspace.activeMembers).toEqual([])
    expect(workspace.members.get('u2')?.name).toBe('Budi')
  })

  it('changes what I may do when my own role changes', () => {
    const session = useSession()
    session.session = {
      user: { id: 'u1', name: 'Sari', email: 's@example.com', locale: 'en', theme: 'system', is_operator: false, avatar_color: null, created_at: '' },
      csrf_token: '', realtime: { key: 'k', path: '/app', auth_endpoint: '/' },
      workspaces: [{ id: 'w1', name: 'Acme', slug: 'acme', role: 'agent', status: 'active', plan: 'free' }],
    }
    const workspace = useWorkspace()
    workspace.slug = 'acme'
    expect(workspace.may('admin')).toBe(false)
    workspace.applyMember(member(2, { user_id: 'u1', role: 'admin' }))
    expect(workspace.may('admin')).toBe(true)
  })
})

describe('a workspace that closes', () => {
  const refuse = (status: number, code: string) =>
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ error: { code, message: 'No.', request_id: 'r' } }), { status }))

  function open() {
    const session = useSession()
    session.session = {
      user: { id: 'u1', name: 'Sari', email: 's@example.com', locale: 'en', theme: 'system', is_operator: false, avatar_color: null, created_at: '' },
      csrf_token: '', realtime: { key: 'k', path: '/app', auth_endpoint: '/' },
      workspaces: [{ id: 'w1', name: 'Acme', slug: 'acme', role: 'agent', status: 'active', plan: 'free' }],
    }
    useWorkspace().slug = 'acme'
    return session
  }

  it('is known as suspended once the server says so', async () => {
    const session = open()
    refuse(403, 'workspace.suspended')
    await expect(useWorkspace().refresh()).rejects.toMatchObject({ code: 'workspace.suspended' })
    expect(session.workspaces[0]?.status).toBe('suspended')
  })

  it('is mine no longer when I am not in it', async () => {
    const session = open()
    refuse(404, 'workspace.not_found')
    await expect(useWorkspace().refresh()).rejects.toMatchObject({ code: 'workspace.not_found' })
    expect(session.workspaces).toEqual([])
  })
})
