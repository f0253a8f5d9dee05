/** The directory, the members of each room, how far they have read and who is typing. */
import type { RoomMemberEntry, RoomMembers, RoomsState } from '../state'
import type { Id, Member, RoomMember } from '../types'
import { put } from './record'

const NOBODY: RoomMembers = Object.freeze({ loaded: false, version: 0, byUser: {} })

export function applyMember(state: RoomsState, member: Member): RoomsState {
  const known = state.directory[member.user_id]
  if (known && member.version <= known.version) return state
  return { ...state, directory: put(state.directory, member.user_id, member) }
}

export function applyRoomMembers(
  state: RoomsState,
  list: { room_id: Id; items: readonly RoomMember[]; room_version: number; stay: string | null },
): RoomsState {
  const { room_id: roomId, items, room_version: roomVersion } = list
  // I left and came back while it was on its way: who moved in between it doesn't know.
  if (list.stay !== (state.stays[roomId] ?? null)) return state
  const known = state.roomMembers[roomId]?.byUser ?? {}
  // What happened after the list was asked for is younger than the list.
  const moved = Object.entries(known).filter(([, entry]) => entry.version > roomVersion)
  const byUser: Record<Id, RoomMemberEntry> = Object.fromEntries(moved)
  for (const member of items) byUser[member.user_id] ??= { member, present: true, version: roomVersion }
  const markers = { ...state.markers[roomId] }
  for (const { user_id, read_sequence } of items) markers[user_id] = Math.max(markers[user_id] ?? -1, read_sequence)
  return {
    ...state,
    markers: put(state.markers, roomId, markers),
    roomMembers: put(state.roomMembers, roomId, { loaded: true, version: roomVersion, byUser }),
  }
}

/** `role` is null for who has left. */
export function applyMemberMove(
  state: RoomsState,
  move: { room_id: Id; user_id: Id; role: RoomMember['role'] | null; member_count: number; room_version: number },
): RoomsState {
  const { room_id: roomId, user_id: userId, room_version: version } = move
  const count = state.counts[roomId]
  const counts =
    !count || version > count.version
      ? put(state.counts, roomId, { count: move.member_count, version })
      : state.counts
  const members = state.roomMembers[roomId] ?? NOBODY
  const known = members.byUser[userId]
  if ((known?.version ?? members.version) >= version) return counts === state.counts ? state : { ...state, counts }
  const before: RoomMember = known?.member ?? { user_id: userId, role: 'member', joined_at: '', read_sequence: 0 }
  const member = { ...before, role: move.role ?? before.role }
  const byUser = { ...members.byUser, [userId]: { member, present: move.role !== null, version } }
  return { ...state, counts, roomMembers: put(state.roomMembers, roomId, { ...members, byUser }) }
}

/** A marker only rises. */
export function raiseMarker(state: RoomsState, roomId: Id, userId: Id, sequence: number): RoomsState {
  const room = state.markers[roomId] ?? {}
  if ((room[userId] ?? -1) >= sequence) return state
  return { ...state, markers: put(state.markers, roomId, { ...room, [userId]: sequence }) }
}

export function applyTyping(
  state: RoomsState,
  input: { room_id: Id; user_id: Id; thread: Id | null; typing: boolean; until: number },
): RoomsState {
  if (input.user_id === state.me) return state
  const others = (state.typing[input.room_id] ?? []).filter((typist) => typist.user_id !== input.user_id)
  const { user_id, thread, until } = input
  const typists = input.typing ? [...others, { user_id, thread, until }] : others
  return { ...state, typing: put(state.typing, input.room_id, typists) }
}

export function expireTyping(state: RoomsState, now: number): RoomsState {
  const expired = Object.entries(state.typing).filter(([, typists]) => typists.some((typist) => typist.until <= now))
  if (expired.length === 0) return state
  const left = expired.map(([roomId, typists]) => [roomId, typists.filter((typist) => typist.until > now)])
  return { ...state, typing: { ...state.typing, ...Object.fromEntries(left) } }
}
