/** The normalised state of the rooms feature: what the server said, nothing derived. */
import type { Timeline } from './timeline'
import type { Attachment, Id, Member, Membership, Message, Room, RoomMember } from './types'

/** Joins and leaves move the number of members without a full room, so it carries its own version. */
export interface Count {
  count: number
  version: number
}

export interface MembershipEntry {
  membership: Membership
  /** The room's last sequence when `unread` and `mentions` were counted. */
  countedTo: number
  /** The room's version then: of the messages that were counted, those deleted in a higher one are to be taken off. */
  countedIn: number
}

/** A reply in a thread that mentions me, or did until it was deleted in this version of the room. */
export interface ReplyMention {
  sequence: number
  deleted: number | null
}

export interface RoomMemberEntry {
  member: RoomMember
  present: boolean
  /** Room version of the join or leave. */
  version: number
}

export interface RoomMembers {
  loaded: boolean
  /** The list has every join and leave up to this room version. */
  version: number
  byUser: Readonly<Record<Id, RoomMemberEntry>>
}

export interface OutgoingFile {
  local_id: string
  name: string
  type: string
  size: number
  width: number | null
  height: number | null
  /** set once the upload is done */
  attachment: Attachment | null
}

export interface Failure {
  code: string
  message: string
}

/** A message that was written here and that the server has not confirmed yet. */
export interface PendingMessage {
  client_id: string
  room_id: Id
  parent_id: Id | null
  body: string
  quote: Message['quote']
  files: OutgoingFile[]
  created_at: string
  failure: Failure | null
}

/** A change of a message that is shown already and may still be taken back. */
export type Change =
  | { kind: 'edit'; body: string }
  | { kind: 'delete' }
  | { kind: 'react'; emoji: string; on: boolean; user_id: Id }

export interface Overlay {
  op_id: string
  message_id: Id
  change: Change
}

export interface Typist {
  user_id: Id
  thread: Id | null
  /** epoch milliseconds */
  until: number
}

export interface RoomsState {
  readonly me: Id
  /** The first list of rooms has arrived, from the server or from the disk. */
  readonly ready: boolean
  /** Every room that was ever mentioned; `stays` says which of them are mine. */
  readonly rooms: Readonly<Record<Id, Room>>
  readonly counts: Readonly<Record<Id, Count>>
  /** My youngest membership of each room, also of those I have left. */
  readonly memberships: Readonly<Record<Id, MembershipEntry>>
  /** Room version of my last leave. Memberships before it are below that version, those after it above. */
  readonly left: Readonly<Record<Id, number>>
  /**
   * The rooms I am in, and when I came: what was asked for in one stay says nothing about the next. Follows from
   * `memberships` and `left`, whichever came first.
   */
  readonly stays: Readonly<Record<Id, string>>
  readonly timelines: Readonly<Record<Id, Timeline>>
  /** Replies by the id of their parent. */
  readonly threads: Readonly<Record<Id, Timeline>>
  /** Replies in threads that mention me, by room. */
  readonly replyMentions: Readonly<Record<Id, readonly ReplyMention[]>>
  /** Highest sequence each member has read, by room. */
  readonly markers: Readonly<Record<Id, Readonly<Record<Id, number>>>>
  readonly roomMembers: Readonly<Record<Id, RoomMembers>>
  readonly directory: Readonly<Record<Id, Member>>
  readonly typing: Readonly<Record<Id, readonly Typist[]>>
  readonly pending: readonly PendingMessage[]
  readonly overlays: readonly Overlay[]
}

export function emptyState(me: Id): RoomsState {
  return {
    me,
    ready: false,
    rooms: {},
    counts: {},
    memberships: {},
    left: {},
    stays: {},
    timelines: {},
    threads: {},
    replyMentions: {},
    markers: {},
    roomMembers: {},
    directory: {},
    typing: {},
    pending: [],
    overlays: [],
  }
}
