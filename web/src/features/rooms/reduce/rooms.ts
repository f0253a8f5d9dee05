/** Rooms, whether I am in them, and my membership. */
import type { MembershipEntry, RoomsState } from '../state'
import type { Timeline } from '../timeline'
import type { Id, Membership, Room } from '../types'
import { raiseMarker } from './people'
import { drop, put } from './record'

export function applyRooms(state: RoomsState, rooms: readonly Room[], cursor: number): RoomsState {
  const listed = new Set(rooms.map((room) => room.id))
  let next: RoomsState = { ...state, ready: true }
  for (const room of rooms) {
    const known = next.presence[room.id]
    // A join or leave that is younger than this list stands.
    if (known && known.at > cursor) next = applyRoomFields(next, room)
    else next = enter(next, room, cursor)
  }
  for (const [id, presence] of Object.entries(next.presence)) {
    if (presence.joined && presence.at <= cursor && !listed.has(id)) next = leave(next, id, cursor)
  }
  return next
}

/** The answer to something I asked for: it holds, whatever was known. */
export function applyAnswer(state: RoomsState, room: Room): RoomsState {
  if (!room.membership) return applyRoomFields(state, room)
  return enter(state, room, state.presence[room.id]?.at ?? 0, true)
}

/** "I was added or joined", at a position in the log. */
export function applyRoomEvent(state: RoomsState, room: Room, sequence: number): RoomsState {
  const known = state.presence[room.id]
  if (known && known.at >= sequence) return applyRoomFields(state, room)
  // Joined while I was in already: I was out in between, and what was said then is not known.
  const missed = known?.joined && !known.answered
  if (!missed) return enter(state, room, sequence)
  return enter({ ...leave(state, room.id, known.at), timelines: uncovered(state.timelines, room.id) }, room, sequence)
}

function enter(state: RoomsState, room: Room, at: number, answered = false): RoomsState {
  const known = state.presence[room.id]
  const presence = { joined: true, at, stay: known?.stay ?? 0, answered: answered && !known?.joined }
  const next = applyRoomFields({ ...state, presence: put(state.presence, room.id, presence) }, room)
  if (!room.membership) return next
  return applyMembership(next, room.id, room.membership, {
    version: (room.membership as Membership).version,
    countedTo: room.last_sequence,
    at,
    // What is left of an earlier stay says nothing about this one.
    replace: !known?.joined,
  })
}

export function applyRoomFields(state: RoomsState, room: Room): RoomsState {
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

/**
 * Messages and members stay in memory: what arrived early may belong to a later stay. They are no longer complete and
 * nothing shows them.
 */
export function leave(state: RoomsState, roomId: Id, at: number): RoomsState {
  const known = state.presence[roomId]
  if (known && at < known.at) return state
  const stay = (known?.stay ?? 0) + (known?.joined === false ? 0 : 1)
  const entry = state.memberships[roomId]
  const members = state.roomMembers[roomId]
  return {
    ...state,
    presence: put(state.presence, roomId, { joined: false, at, stay }),
    memberships: entry && entry.at <= at ? drop(state.memberships, roomId) : state.memberships,
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

interface MembershipSource {
  version: number | undefined
  countedTo: number
  at: number
  replace?: boolean
}

function applyMembership(
  state: RoomsState,
  roomId: Id,
  membership: Membership,
  source: MembershipSource,
): RoomsState {
  const known = state.memberships[roomId]
  const merged = mergeMembership(known, membership, source)
  const next =
    merged === known ? state : { ...state, memberships: put(state.memberships, roomId, merged) }
  return raiseMarker(next, roomId, state.me, membership.read_sequence)
}

function mergeMembership(
  known: MembershipEntry | undefined,
  membership: Membership,
  source: MembershipSource,
): MembershipEntry {
  const incoming = {
    membership,
    version: source.version ?? known?.version ?? 0,
    countedTo: source.countedTo,
    at: source.at,
  }
  if (!known || (source.replace && known.at <= source.at)) return incoming
  if (incoming.version < known.version) return known
  if (incoming.version > known.version) return { ...incoming, at: Math.max(known.at, incoming.at) }
  // Of the same version, the count over the longer row of messages is the younger one.
  return source.countedTo < known.countedTo ? known : { ...incoming, at: Math.max(known.at, incoming.at) }
}

export function applyMembershipEvent(
  state: RoomsState,
  sequence: number,
  data: { room_id: Id; membership: Membership; version?: number; last_sequence?: number },
): RoomsState {
  const { room_id: roomId, membership } = data
  const presence = state.presence[roomId]
  // Part of the list of rooms already, or of an earlier stay.
  if (presence && sequence !== 0 && sequence <= presence.at) return state
  const counted = Math.max(
    membership.read_sequence,
    state.rooms[roomId]?.last_sequence ?? 0,
    state.memberships[roomId]?.countedTo ?? 0,
  )
  return applyMembership(state, roomId, membership, {
    version: data.version,
    countedTo: data.last_sequence ?? counted,
    at: sequence,
  })
}
