/** What the pages read: derived from the state, remembered as long as its sources stay the same objects. */
import type { RoomsState } from './state'
import { EMPTY_TIMELINE, type Timeline } from './timeline'
import type { Id, Message, Notify, Room } from './types'
import { unreadOf } from './unread'

export interface LastLine {
  user_id: Id
  kind: 'text' | 'system'
  /** plain text; empty when the message was deleted */
  preview: string
  created_at: string
  message: Message | null
}

export interface RoomSummary {
  room: Room
  id: Id
  starred: boolean
  notify: Notify
  role: 'owner' | 'member'
  unread: number
  mentions: number
  memberCount: number
  last: LastLine | null
  activityAt: string
}

/** The youngest message that is known or that the server named. */
export function lastOf(room: Room, timeline: Timeline): LastLine | null {
  const known = timeline.messages.at(-1)
  const named = room.last_message
  const isNamed = (message: Message) => message.id === named?.id
  const use = known && (!named || isNamed(known) || known.created_at >= named.created_at) ? known : null
  if (use) return { ...who(use), preview: use.body, message: use }
  return named ? { ...who({ ...named, kind: named.kind as Message['kind'] }), preview: named.preview, message: timeline.messages.find(isNamed) ?? null } : null
}

function who({ user_id, kind, created_at }: Pick<Message, 'user_id' | 'kind' | 'created_at'>) {
  return { user_id, kind, created_at }
}

function summarise(state: RoomsState, room: Room): RoomSummary | null {
  const entry = state.memberships[room.id]
  if (!entry) return null
  const { starred, notify, role } = entry.membership
  const last = lastOf(room, state.timelines[room.id] ?? EMPTY_TIMELINE)
  return {
    room,
    id: room.id,
    starred,
    notify,
    role,
    ...unreadOf(state, room.id),
    memberCount: state.counts[room.id]?.count ?? room.member_count,
    last,
    activityAt: last && last.created_at > room.last_activity_at ? last.created_at : room.last_activity_at,
  }
}

/** Summaries of all my rooms, youngest activity first. Only rooms whose parts changed are computed again. */
export function roomSummaries(): (state: RoomsState) => RoomSummary[] {
  const remembered = new Map<Id, { sources: unknown[]; summary: RoomSummary | null }>()
  return (state) => {
    const list: RoomSummary[] = []
    for (const room of Object.values(state.rooms)) {
      if (!(room.id in state.stays)) continue
      const id = room.id
      const sources = [
        room,
        state.memberships[id],
        state.timelines[id],
        state.markers[id],
        state.counts[id],
        state.replyMentions[id],
      ]
      let known = remembered.get(id)
      if (!known || known.sources.some((source, i) => source !== sources[i])) {
        known = { sources, summary: summarise(state, room) }
        remembered.set(id, known)
      }
      if (known.summary) list.push(known.summary)
    }
    return list.sort((a, b) => (a.activityAt < b.activityAt ? 1 : a.activityAt > b.activityAt ? -1 : a.id < b.id ? 1 : -1))
  }
}

/** Highest sequence that everybody else in a direct room has read. */
export function readByOthers(state: RoomsState, roomId: Id, userIds: readonly Id[]): number {
  const markers = state.markers[roomId] ?? {}
  const others = userIds.filter((id) => id !== state.me)
  return others.length ? Math.min(...others.map((id) => markers[id] ?? 0)) : 0
}
