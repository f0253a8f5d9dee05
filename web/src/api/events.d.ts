// Generated from the event catalogue (`make generate`). Do not edit.

export interface AttachmentView {
  id: string
  name: string
  content_type: string
  size: number
  width: number | null
  height: number | null
  duration: number | null
  thumbnail: boolean
  url: string
  thumbnail_url: string | null
  state: "processing" | "ready"
}

/** The newest line of a room's timeline, for lists. */
export interface LastMessage {
  id: string
  user_id: string
  kind: string
  preview: string
  attachments: number
  system: SystemNote | null
  created_at: string
}

export interface LimitsView {
  max_members: number
  max_sessions: number
  max_rooms: number
  max_file_bytes: number
}

export type Locale = "en" | "id" | "ja"

/** The payload of the member events. */
export interface MemberChanged {
  member: MemberView
}

export interface MemberView {
  user_id: string
  name: string
  email: string
  role: Role
  status: Membership
  joined_at: string
  version: number
}

export type Membership = "active" | "removed"

/** ``last_sequence`` and ``room_version`` are the room's when ``unread`` was counted. */
export interface MembershipUpdated {
  room_id: string
  membership: MembershipView
  version: number
  last_sequence: number
  room_version: number
}

/** My place in a room. ``unread`` counts up to 1000 messages back. */
export interface MembershipView {
  role: "member" | "owner"
  joined_at: string
  read_sequence: number
  unread: number
  mentions: number
  starred: boolean
  notify: "all" | "mentions" | "none"
  version: number
}

export interface MessageSent {
  message: MessageView
  client_id: string
}

export interface MessageUpdated {
  message: MessageView
}

/** A message. Deleted ones keep their place, with an empty body and whom they mentioned. */
export interface MessageView {
  id: string
  client_id: string
  room_id: string
  sequence: number
  user_id: string
  kind: "system" | "text"
  body: string
  system: SystemNote | null
  parent_id: string | null
  quote: Quote | null
  mentions: (string)[]
  attachments: (AttachmentView)[]
  reactions: (Reaction)[]
  reply_count: number
  last_reply_at: string | null
  reply_user_ids: (string)[]
  created_at: string
  edited_at: string | null
  deleted_at: string | null
  version: number
}

export type Plan = "basic" | "enterprise" | "free" | "premium"

/** What a message answers, as it read at the time. */
export interface Quote {
  id: string
  user_id: string
  preview: string
}

export interface Reaction {
  emoji: string
  user_ids: (string)[]
}

export type Role = "admin" | "agent" | "owner" | "viewer"

/** ``room_version`` is above the version of the membership that ended, and below that of any later one. */
export interface RoomGone {
  room_id: string
  room_version: number
}

export interface RoomMemberChanged {
  room_id: string
  user_id: string
  role: "member" | "owner"
  member_count: number
  room_version: number
}

export interface RoomMemberGone {
  room_id: string
  user_id: string
  member_count: number
  room_version: number
}

export interface RoomRead {
  room_id: string
  user_id: string
  read_sequence: number
}

export interface RoomShown {
  room: RoomView
}

/** A room; ``membership`` is the caller's, null in announcements to everybody. */
export interface RoomView {
  id: string
  kind: "direct" | "room"
  name: string | null
  topic: string
  visibility: "private" | "public"
  archived: boolean
  created_by: string
  created_at: string
  member_count: number
  member_ids: (string)[] | null
  last_sequence: number
  last_message: LastMessage | null
  last_activity_at: string
  version: number
  membership: MembershipView | null
}

export type Status = "active" | "cancelled" | "suspended"

/** Why a system line is there; the page writes its sentence. */
export interface SystemNote {
  type: string
  user_ids?: (string)[] | null
  name?: string | null
  topic?: string | null
}

/** The payload of `WORKSPACE_UPDATED`. */
export interface WorkspaceChanged {
  workspace: WorkspacePublic
}

/** A workspace as announced to all its members. */
export interface WorkspacePublic {
  id: string
  name: string
  slug: string
  plan: Plan
  status: Status
  limits: LimitsView
  settings: WorkspaceSettings
  created_at: string
  version: number
}

export interface WorkspaceSettings {
  default_locale: Locale
  timezone: string
}

/** What every event carries: its place in the log. */
export interface Logged {
  sequence: number
  id: string
}

export interface EventPayloads {
  /** Somebody is a member of the workspace now. */
  "member.joined": Logged & MemberChanged
  /** Somebody left the workspace or was removed from it. */
  "member.removed": Logged & MemberChanged
  /** A member's name or role changed. */
  "member.updated": Logged & MemberChanged
  /** To one member: read marker, star, notify. */
  "membership.updated": Logged & MembershipUpdated
  /** A message was sent; its sender's own socket does not get this. */
  "message.sent": Logged & MessageSent
  /** A message was edited, deleted, reacted or replied to. */
  "message.updated": Logged & MessageUpdated
  /** To one member: you are in this room now. */
  "room.joined": Logged & RoomShown
  /** To one member: you are no longer in this room. */
  "room.left": Logged & RoomGone
  /** Somebody joined or was added. */
  "room.member_joined": Logged & RoomMemberChanged
  /** Somebody left or was removed. */
  "room.member_left": Logged & RoomMemberGone
  /** Somebody owns the room now. */
  "room.member_updated": Logged & RoomMemberChanged
  /** A member of a small room has read up to here. */
  "room.read": Logged & RoomRead
  /** A room was renamed, archived or otherwise changed. */
  "room.updated": Logged & RoomShown
  /** Name, settings, plan or status changed. */
  "workspace.updated": Logged & WorkspaceChanged
}

export type EventName = keyof EventPayloads
