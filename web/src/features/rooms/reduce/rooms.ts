/** Rooms, whether I am in them, and my membership. */
import type { MembershipEntry, RoomsState } from '../state'
import type { Timeline } from '../timeline'
import type { Id, Membership, Room } from '../types'
import { raiseMarker } from './people'
import { drop, put } from './record'

export function applyRooms(state: RoomsState, rooms: readonly Room[], asked: RoomsState['memberships']): RoomsState {
  const listed = new Set(rooms.map((room) => room.id))
  let next = rooms.reduce(applyRoom, { ...state, ready: true })
  for (const [id, { membership }] of Object.entries(asked)) {
    // I left it before the list was read. Of what came since it was asked for the list proves nothing.
    if (!listed.has(id)) next = leave(next, id, membership.version)
  }
  return next
}

/** A room as I see it, or without my membership as everybody does. */
export function applyRoom(state: RoomsState, room: Room): RoomsState {
  const next = applyRoomFields(state, room)
  if (!room.membership) return next
  return applyMembership(next, room.id, {
    membership: room.membership,
    countedTo: room.last_sequence,
    countedIn: room.version,
  })
}

function applyRoomFields(state: RoomsState, room: Room): RoomsState {
  const known = state.rooms[room.id]
  const merged = known ? mergeRoom(known, room) : { ...room, membership: null }
  const count = state.counts[room.id]
  const counts =
    !count || room.version > count.version
      ? put(state.counts, room.id, { count: room.member_count, version: room.version })
      : state.counts
  if (merged === known && counts === state.counts) return state
  return { ...state, counts, rooms: put(state.rooms, room.id, merged) }
}

function mergeRoom(known: Room, incoming: Room): Room {
  const fields = incoming.version > known.version ? incoming : known
  const younger =
    incoming.last_sequence > known.last_sequence ||
    (incoming.last_sequence === known.last_sequence && incoming.version >= known.version)
  const latest = younger ? incoming : known
  if (fields === known && sameEnd(latest, known)) return known
  return {
    ...fields,
    membership: null, // lives in `memberships`; one copy only
    member_ids: fields.member_ids ?? known.member_ids,
    last_sequence: latest.last_sequence,
    last_message: latest.last_message,
    last_activity_at: latest.last_activity_at,
  }
}

function sameEnd(a: Room, b: Room): boolean {
  return a.last_sequence === b.last_sequence && a.last_message?.preview === b.last_message?.preview
}

/** Its messages stay, but no longer as a row without gaps. */
function uncovered(rows: RoomsState['timelines'], id: Id): RoomsState['timelines'] {
  const row = rows[id]
  return row?.spans.length ? put(rows, id, { ...row, spans: [] }) : rows
}

export function leave(state: RoomsState, roomId: Id, version: number): RoomsState {
  if ((state.left[roomId] ?? -1) >= version) return state
  return settle({ ...state, left: put(state.left, roomId, version) }, roomId)
}

/** Which stay I am in now. With another one begins another row of messages: what was said in between is not known. */
function settle(state: RoomsState, roomId: Id): RoomsState {
  const membership = state.memberships[roomId]?.membership
  const joined = membership && membership.version > (state.left[roomId] ?? -1) ? membership.joined_at : undefined
  if (joined === state.stays[roomId]) return state
  const members = state.roomMembers[roomId]
  return {
    ...state,
    stays: joined === undefined ? drop(state.stays, roomId) : put(state.stays, roomId, joined),
    // Messages and members stay in memory: what arrived early may belong to this stay. They are no longer complete.
    timelines: uncovered(state.timelines, roomId),
    roomMembers: members ? put(state.roomMembers, roomId, { ...members, loaded: false }) : state.roomMembers,
    typing: drop(state.typing, roomId),
  }
}

export function resync(state: RoomsState): RoomsState {
  const open = (rows: Readonly<Record<Id, Timeline>>) =>
    Object.fromEntries(Object.entries(rows).map(([id, row]) => [id, { ...row, spans: [] }]))
  return {
    ...state,
    timelines: open(state.timelines),
    threads: open(state.threads),
    roomMembers: Object.fromEntries(
      Object.entries(state.roomMembers).map(([id, members]) => [id, { ...members, loaded: false }]),
    ),
  }
}

export function changeMine(state: RoomsState, roomId: Id, changes: Partial<Membership>): RoomsState {
  const entry = state.memberships[roomId]
  if (!entry) return state
  const membership = { ...entry.membership, ...changes }
  return { ...state, memberships: put(state.memberships, roomId, { ...entry, membership }) }
}

export function applyMembership(state: RoomsState, roomId: Id, entry: MembershipEntry): RoomsState {
  const known = state.memberships[roomId]
  const next =
    known && !isYounger(entry, known)
      ? state
      : settle({ ...state, memberships: put(state.memberships, roomId, entry) }, roomId)
  return raiseMarker(next, roomId, state.me, entry.membership.read_sequence)
}

function isYounger(entry: MembershipEntry, known: MembershipEntry): boolean {
  const { version } = entry.membership
  if (version !== known.membership.version) return version > known.membership.version
  return entry.countedIn > known.countedIn
}
