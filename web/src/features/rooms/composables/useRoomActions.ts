import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useWorkspace } from '@/app/workspace'
import { errorLine } from '@/ui/describeError'
import { toast } from '@/ui/toast'
import type { Id, Notify, Room, RoomMember, Visibility } from '../types'
import { useRooms } from '../store'

/** Everything that can be done with rooms. Small settings are shown at once and put back when refused. */
export function useRoomActions() {
  const rooms = useRooms()
  const workspace = useWorkspace()
  const router = useRouter()
  const { t } = useI18n()

  function api() {
    if (!rooms.connected) throw new Error('No workspace is open')
    return rooms.connected.api
  }

  async function open(roomId: Id, query: Record<string, string> = {}): Promise<void> {
    await router.push({ name: 'rooms.room', params: { slug: workspace.slug, room: roomId }, query })
  }

  function accept(room: Room): Room {
    rooms.dispatch({ type: 'room', room })
    return room
  }

  async function create(body: { name: string; topic?: string; visibility: Visibility; member_ids?: Id[] }): Promise<void> {
    await open(accept(await api().create(body)).id)
  }

  async function direct(userIds: Id[]): Promise<void> {
    await open(accept(await api().direct(userIds)).id)
  }

  async function join(roomId: Id): Promise<void> {
    await open(accept(await api().join(roomId)).id)
  }

  async function leave(roomId: Id): Promise<void> {
    await api().leave(roomId)
    rooms.dispatch({ type: 'left', room_id: roomId })
    await router.push({ name: 'rooms', params: { slug: workspace.slug } })
  }

  async function change(roomId: Id, body: { name?: string; topic?: string; visibility?: Visibility; archived?: boolean }) {
    accept(await api().change(roomId, body))
  }

  async function setMine(roomId: Id, changes: { starred?: boolean; notify?: Notify }): Promise<void> {
    const before = rooms.state.memberships[roomId]?.membership
    if (!before) return
    rooms.dispatch({ type: 'mine', room_id: roomId, changes })
    try {
      accept(await api().membership(roomId, changes))
    } catch (error) {
      const { starred, notify } = before
      rooms.dispatch({ type: 'mine', room_id: roomId, changes: { starred, notify } })
      toast(errorLine(error, t), { tone: 'danger' })
    }
  }

  async function listMembers(roomId: Id, ask: () => Promise<{ items: RoomMember[] }>): Promise<void> {
    const stay = rooms.state.stays[roomId] ?? null
    const version = rooms.state.counts[roomId]?.version ?? 0
    const { items } = await ask()
    rooms.dispatch({ type: 'room-members', room_id: roomId, items, room_version: version, stay })
    const now = rooms.state.stays[roomId] ?? null
    if (now !== null && now !== stay) await loadMembers(roomId)
  }

  const loadMembers = (roomId: Id): Promise<void> => listMembers(roomId, () => api().members(roomId))
  const addMembers = (roomId: Id, userIds: Id[]): Promise<void> => listMembers(roomId, () => api().addMembers(roomId, userIds))

  async function removeMember(roomId: Id, userId: Id): Promise<void> {
    await api().removeMember(roomId, userId)
    await loadMembers(roomId)
  }

  /** For buttons: does it, and says so when it didn't work. */
  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      toast(errorLine(error, t), { tone: 'danger' })
      return false
    }
  }

  return { open, create, direct, join, leave, change, setMine, loadMembers, addMembers, removeMember, attempt }
}
