/**
 * The shapes of the HTTP API and of the events, under the names the app uses.
 * One place to look up what the server sends; the words are the server's own.
 */
export type Id = string
/** ISO 8601, UTC, milliseconds. */
export type Timestamp = string

export type Role = 'owner' | 'admin' | 'agent' | 'viewer'
export type Theme = 'system' | 'light' | 'dark'
export type LocaleCode = 'en' | 'id' | 'ja'

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export interface ErrorBody {
  error: {
    code: string
    message: string
    fields?: Record<string, string[]> | null
    request_id: string
    retry_after?: number | null
  }
}

// --- identity

export interface User {
  id: Id
  name: string
  email: string
  locale: LocaleCode
  theme: Theme
  is_operator: boolean
  avatar_color?: number | null
  created_at: Timestamp
}

export interface WorkspaceSummary {
  id: Id
  name: string
  slug: string
  role: Role
  status: WorkspaceStatus
  plan: string
}

/** Everything but `active` shuts everybody out. */
export type WorkspaceStatus = 'active' | 'suspended' | 'cancelled'

export interface RealtimeConfig {
  key: string
  path?: string | null
  host?: string | null
  port?: number | null
  auth_endpoint: string
}

export interface Session {
  user: User
  csrf_token: string
  workspaces: WorkspaceSummary[]
  realtime: RealtimeConfig
}

export interface Workspace {
  id: Id
  name: string
  slug: string
  plan: string
  status: WorkspaceStatus
  role: Role
  limits: WorkspaceLimits
  settings: WorkspaceSettings
  created_at: Timestamp
  version: number
}

export interface WorkspaceLimits {
  max_members: number
  max_sessions: number
  max_rooms: number
  max_file_bytes: number
}

export interface WorkspaceSettings {
  default_locale?: LocaleCode
  timezone?: string
  [key: string]: unknown
}

export interface Member {
  user_id: Id
  name: string
  email: string
  role: Role
  status: 'active' | 'removed'
  joined_at: Timestamp
  version: number
}

export interface Invitation {
  id: Id
  email: string
  role: Role
  invited_by: Id
  created_at: Timestamp
  expires_at: Timestamp
  accepted_at: Timestamp | null
  /** Shown to admins only. */
  link: string | null
}

export interface InvitationPreview {
  workspace: { name: string }
  email: string
  role: Role
  invited_by_name: string
  expires_at: Timestamp
  account_exists: boolean
}

export interface AuthSession {
  id: Id
  current: boolean
  user_agent: string
  ip: string
  created_at: Timestamp
  last_seen_at: Timestamp
  expires_at: Timestamp
}

export type Scope = 'profile' | 'workspace:read' | 'workspace:write' | 'chat:read' | 'chat:write'

export interface Token {
  id: Id
  name: string
  scopes: Scope[]
  prefix: string
  created_at: Timestamp
  last_used_at: Timestamp | null
  expires_at: Timestamp | null
}

export interface NewToken extends Token {
  /** Shown once. */
  secret: string
}

export interface AuditEntry {
  id: Id
  at: Timestamp
  actor_id: Id | null
  actor_name: string | null
  action: string
  target_type: string | null
  target_id: Id | null
  target_label: string | null
  ip: string | null
  details: Record<string, unknown>
}

export interface OutgoingMail {
  id: Id
  to: string
  subject: string
  kind: string
  link: string | null
  state: 'queued' | 'sent' | 'logged' | 'failed'
  error: string | null
  created_at: Timestamp
}

export interface Meta {
  name: string
  version: string
  demo: { accounts: DemoAccount[] } | null
  realtime: { key: string }
}

export interface DemoAccount {
  email: string
  name: string
  password: string
}

// --- rooms

export type RoomKind = 'room' | 'direct'
export type Visibility = 'public' | 'private'
export type Notify = 'all' | 'mentions' | 'none'

export interface Membership {
  role: 'owner' | 'member'
  joined_at: Timestamp
  read_sequence: number
  unread: number
  mentions: number
  starred: boolean
  notify: Notify
}

export interface LastMessage {
  id: Id
  user_id: Id
  kind: MessageKind
  preview: string
  created_at: Timestamp
}

export interface Room {
  id: Id
  kind: RoomKind
  /** null for direct rooms: they are called after the others in them. */
  name: string | null
  topic: string | null
  visibility: Visibility
  archived: boolean
  created_by: Id | null
  created_at: Timestamp
  member_count: number
  /** Direct rooms only. */
  member_ids?: Id[] | null
  last_sequence: number
  last_message: LastMessage | null
  last_activity_at: Timestamp
  version: number
  membership: Membership | null
}

export interface RoomMember {
  user_id: Id
  role: 'owner' | 'member'
  joined_at: Timestamp
  read_sequence: number
}

export type MessageKind = 'text' | 'system'

export interface Quote {
  id: Id
  user_id: Id
  preview: string
}

export interface Reaction {
  emoji: string
  user_ids: Id[]
}

export interface Attachment {
  id: Id
  name: string
  content_type: string
  size: number
  width: number | null
  height: number | null
  duration: number | null
  thumbnail: boolean
  url: string
  thumbnail_url: string | null
  state: 'ready' | 'processing'
}

export interface SystemNote {
  type: string
  [key: string]: unknown
}

export interface Message {
  id: Id
  client_id: string | null
  room_id: Id
  sequence: number
  user_id: Id
  kind: MessageKind
  /** Markdown source; empty when deleted. */
  body: string
  system: SystemNote | null
  parent_id: Id | null
  quote: Quote | null
  mentions: Id[]
  attachments: Attachment[]
  reactions: Reaction[]
  reply_count: number
  last_reply_at: Timestamp | null
  reply_user_ids: Id[]
  created_at: Timestamp
  edited_at: Timestamp | null
  deleted_at: Timestamp | null
  version: number
}

export interface RoomList {
  items: Room[]
  /** The event log's position this list was read at. */
  cursor: number
}

export interface MessageWindow {
  items: Message[]
  has_before: boolean
  has_after: boolean
}

export interface Thread {
  parent: Message
  items: Message[]
  has_after: boolean
}

export interface SearchHit {
  message: Message
  room_id: Id
  snippet_parts?: { text: string; hit: boolean }[] | null
}

export interface LoggedEvent<Data = Record<string, unknown>> {
  sequence: number
  id: Id
  name: string
  channels: string[]
  data: Data
}

export interface EventPage {
  events: LoggedEvent[]
  cursor: number
  more: boolean
}
