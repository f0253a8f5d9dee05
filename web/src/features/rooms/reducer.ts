/**
 * The one place where the state of the rooms changes.
 *
 * HTTP answers come in as snapshots, socket and catch-up events as events. Every branch is idempotent and does not
 * depend on the order: objects are replaced by a higher version only, markers only rise, and of my memberships and leaves
 * of a room the one with the highest version holds. Positions in the event log decide nothing: an event that was numbered
 * before a snapshot may commit after it. So a snapshot plus any shuffle of the events after it is the fresh snapshot.
 */
import { applyMessage, applyPage, applyPending, applyThread, failPending, removePending } from './reduce/messages'
import { applyMember, applyMemberMove, applyRoomMembers, applyTyping, expireTyping, raiseMarker } from './reduce/people'
import { together } from './reduce/record'
import { applyMembership, applyRoom, applyRooms, changeMine, leave, resync } from './reduce/rooms'
import type { Failure, Overlay, PendingMessage, RoomsState } from './state'
import type { Id, Member, Membership, Message, MessagePage, PageAnchor, Room, RoomMember, ThreadPage } from './types'

/** An event of the log as it arrives over the socket or from the catch-up. */
export interface LogEvent {
  name: string
  /** position in the log; 0 when unknown */
  sequence: number
  data: Record<string, unknown>
}

export type Input =
  /** all my rooms, and the memberships that were known when they were asked for */
  | { type: 'rooms'; rooms: Room[]; asked: RoomsState['memberships'] }
  | { type: 'room'; room: Room }
  | { type: 'left'; room_id: Id }
  /** `stay` is the one it was asked for in, null outside of the room */
  | { type: 'messages'; room_id: Id; page: MessagePage; anchor: PageAnchor; stay?: string | null }
  | { type: 'thread'; parent_id: Id; page: ThreadPage; after: number }
  | { type: 'message'; message: Message }
  | { type: 'directory'; members: Member[] }
  /** `room_version` is what was known of the room when the list was asked for, `stay` as with messages */
  | { type: 'room-members'; room_id: Id; items: RoomMember[]; room_version: number; stay: string | null }
  /** my own settings of a room, shown before the server knows them */
  | { type: 'mine'; room_id: Id; changes: Partial<Pick<Membership, 'starred' | 'notify'>> }
  | { type: 'read'; room_id: Id; read_sequence: number }
  | { type: 'event'; event: LogEvent }
  | { type: 'typing'; room_id: Id; user_id: Id; thread: Id | null; typing: boolean; until: number }
  | { type: 'typing-expired'; now: number }
  /** the log has gone on too far: nothing that is known is complete any more */
  | { type: 'resync' }
  | { type: 'pending'; message: PendingMessage }
  | { type: 'pending-removed'; client_id: string }
  | { type: 'pending-failed'; client_id: string; failure: Failure | null }
  | { type: 'overlay'; overlay: Overlay }
  | { type: 'overlay-removed'; op_id: string }
  | { type: 'restored'; state: Partial<RoomsState> }

export function apply(state: RoomsState, input: Input): RoomsState {
  switch (input.type) {
    case 'rooms':
      return together(() => applyRooms(state, input.rooms, input.asked))
    case 'room':
      return applyRoom(state, input.room)
    case 'left':
      return leave(state, input.room_id, state.memberships[input.room_id]?.membership.version ?? 0)
    case 'messages':
      return applyPage(state, input.room_id, input.page, input.anchor, input.stay)
    case 'thread':
      return applyThread(state, input.parent_id, input.page, input.after)
    case 'message':
      return applyMessage(state, input.message)
    case 'directory':
      return together(() => input.members.reduce(applyMember, state))
    case 'room-members':
      return applyRoomMembers(state, input)
    case 'mine':
      return changeMine(state, input.room_id, input.changes)
    case 'read':
      return raiseMarker(state, input.room_id, state.me, input.read_sequence)
    case 'event':
      return applyEvent(state, input.event)
    case 'typing':
      return applyTyping(state, input)
    case 'typing-expired':
      return expireTyping(state, input.now)
    case 'resync':
      return resync(state)
    case 'pending':
      return applyPending(state, input.message)
    case 'pending-removed':
      return removePending(state, input.client_id)
    case 'pending-failed':
      return failPending(state, input.client_id, input.failure)
    case 'overlay':
      return { ...state, overlays: [...state.overlays.filter((o) => o.op_id !== input.overlay.op_id), input.overlay] }
    case 'overlay-removed':
      return { ...state, overlays: state.overlays.filter((overlay) => overlay.op_id !== input.op_id) }
    case 'restored':
      return { ...state, ...input.state, me: state.me }
  }
}

/** Several at once, as one change. */
export function applyAll(state: RoomsState, inputs: readonly Input[]): RoomsState {
  return together(() => inputs.reduce(apply, state))
}

function applyEvent(state: RoomsState, event: LogEvent): RoomsState {
  const data = event.data
  switch (event.name) {
    case 'message.sent':
    case 'message.updated':
      return applyMessage(state, data.message as Message)
    case 'room.joined':
    case 'room.updated':
      return applyRoom(state, data.room as Room)
    case 'room.left':
      return leave(state, data.room_id as Id, data.room_version as number)
    case 'room.member_joined':
    case 'room.member_updated':
    case 'room.member_left':
      return applyMemberMove(state, {
        room_id: data.room_id as Id,
        user_id: data.user_id as Id,
        role: (data.role as RoomMember['role'] | undefined) ?? null,
        member_count: data.member_count as number,
        room_version: data.room_version as number,
      })
    case 'room.read':
      return raiseMarker(state, data.room_id as Id, data.user_id as Id, data.read_sequence as number)
    case 'membership.updated':
      return applyMembership(state, data.room_id as Id, {
        membership: data.membership as Membership,
        countedTo: data.last_sequence as number,
        countedIn: data.room_version as number,
      })
    case 'member.joined':
    case 'member.updated':
    case 'member.removed':
      return applyMember(state, data.member as Member)
    default:
      return state
  }
}
