import { defineStore } from 'pinia'
import { computed, ref, shallowReactive } from 'vue'
import { api, call } from '@/api/client'
import { isApiError } from '@/api/error'
import type { Id, Member, Role, Workspace } from '@/api/types'
import { onSignedOut, useSession } from './session'
import { forgetAll, readJson, writeJson } from './storage'

const RANK: Record<Role, number> = { viewer: 0, agent: 1, admin: 2, owner: 3 }

export function atLeast(role: Role | null | undefined, wanted: Role): boolean {
  return role != null && RANK[role] >= RANK[wanted]
}

/** What is needed to read offline: who the people in the cached messages are. */
const SNAPSHOT = 'kanal.directory.'

onSignedOut(() => forgetAll(SNAPSHOT))

/** The workspace that is open: what it is, what I may do in it, and who is in it. */
export const useWorkspace = defineStore('workspace', () => {
  const session = useSession()
  const slug = ref<string | null>(null)
  const details = ref<Workspace | null>(null)
  /** By user id, removed members included: their messages still need a name. */
  const members = shallowReactive(new Map<Id, Member>())
  let opening: Promise<void> | null = null

  const current = computed(() => (slug.value ? session.bySlug(slug.value) : null))
  const id = computed(() => current.value?.id ?? null)
  const role = computed(() => current.value?.role ?? null)
  const me = computed(() => session.user)
  const activeMembers = computed(() => [...members.values()].filter((member) => member.status === 'active'))

  /** Details and the directory of people. The same workspace again costs nothing; `refresh` reads anew. */
  function open(next: string): Promise<void> {
    if (slug.value === next && opening) return opening
    slug.value = next
    details.value = null
    members.clear()
    session.remember(next)
    for (const member of readJson<Member[]>(SNAPSHOT + id.value) ?? []) members.set(member.user_id, member)
    opening = refresh().catch((error) => {
      opening = null
      throw error
    })
    return opening
  }

  async function refresh(): Promise<void> {
    const ws = id.value
    if (!ws) return
    const params = { path: { ws } }
    const [workspace, list] = await Promise.all([
      call(api.GET('/api/v1/workspaces/{ws}', { params })),
      call(api.GET('/api/v1/workspaces/{ws}/members', { params })),
    ]).catch((error: unknown) => {
      learn(ws, error)
      throw error
    })
    if (id.value !== ws) return
    applyWorkspace(workspace)
    for (const member of list.items) applyMember(member)
    writeJson(SNAPSHOT + ws, list.items)
  }

  /** What a refusal says about the workspace: it is suspended, or I am not in it any more. */
  function learn(ws: Id, error: unknown): void {
    if (!isApiError(error)) return
    const known = session.workspaces.find((one) => one.id === ws)
    if (known && error.code === 'workspace.suspended') session.putWorkspace({ ...known, status: 'suspended' })
    if (error.code === 'workspace.not_found') session.dropWorkspace(ws)
  }

  function close(): void {
    slug.value = null
    details.value = null
    opening = null
    members.clear()
  }

  /** From an answer or an event; older versions are ignored. Events come without my role. */
  function applyWorkspace(next: Omit<Workspace, 'role'> & { role?: Role }): void {
    if (next.id !== id.value) return
    if (details.value && details.value.version > next.version) return
    const mine = next.role ?? role.value ?? 'viewer'
    details.value = { ...next, role: mine }
    const { name, slug: at, plan, status } = next
    session.putWorkspace({ id: next.id, name, slug: at, plan, status, role: mine })
  }

  function applyMember(next: Member): void {
    const known = members.get(next.user_id)
    if (known && known.version > next.version) return
    members.set(next.user_id, next)
    const mine = current.value
    if (mine && next.user_id === session.user?.id && next.role !== mine.role) session.putWorkspace({ ...mine, role: next.role })
  }

  function may(wanted: Role): boolean {
    return atLeast(role.value, wanted)
  }

  return {
    slug, current, id, role, me, details, members, activeMembers,
    open, refresh, close, applyWorkspace, applyMember, may,
  }
})
