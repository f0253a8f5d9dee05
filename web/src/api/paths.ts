import type {
  Attachment, AuditEntry, AuthSession, EventPage, Id, Invitation, InvitationPreview, LocaleCode, Member, Membership,
  Message, MessageWindow, Meta, NewToken, Notify, OutgoingMail, Page, Role, Room, RoomList, RoomMember, Scope,
  SearchHit, Session, Theme, Thread, Timestamp, Token, User, Visibility, Workspace, WorkspaceSettings,
} from './types'

type List<T> = { items: T[] }
type Paging = { cursor?: string; limit?: number }
type AuditFilter = { action?: string; actor?: Id; from?: Timestamp; to?: Timestamp; q?: string }

/** Path → method → what goes in, what comes out. Unfolded below into the form openapi-fetch reads. */
interface Endpoints {
  '/api/v1/meta': { get: { out: Meta } }

  '/api/v1/auth/register': {
    post: {
      in: { name: string; email: string; password: string; locale?: LocaleCode; workspace_name?: string; invitation?: string }
      out: Session
    }
  }
  '/api/v1/auth/login': { post: { in: { email: string; password: string }; out: Session } }
  '/api/v1/auth/logout': { post: { out: void } }
  '/api/v1/auth/user': {
    get: { out: Session }
    patch: { in: { name?: string; locale?: LocaleCode; theme?: Theme }; out: User }
  }
  '/api/v1/auth/password': { post: { in: { current_password: string; new_password: string }; out: void } }
  '/api/v1/auth/password/forgot': { post: { in: { email: string }; out: void } }
  '/api/v1/auth/password/reset': { post: { in: { token: string; password: string }; out: void } }
  '/api/v1/auth/sessions': { get: { out: List<AuthSession> } }
  '/api/v1/auth/sessions/{id}': { delete: { out: void } }
  '/api/v1/auth/sessions/revoke-others': { post: { out: void } }
  '/api/v1/auth/tokens': {
    get: { out: List<Token> }
    post: { in: { name: string; scopes: Scope[]; expires_at?: Timestamp | null }; out: NewToken }
  }
  '/api/v1/auth/tokens/{id}': { delete: { out: void } }

  '/api/v1/workspaces': { get: { out: List<Workspace> }; post: { in: { name: string }; out: Workspace } }
  '/api/v1/workspaces/{ws}': {
    get: { out: Workspace }
    patch: { in: { name?: string; settings?: WorkspaceSettings }; out: Workspace }
  }
  '/api/v1/workspaces/{ws}/members': { get: { out: List<Member> } }
  '/api/v1/workspaces/{ws}/members/{user}': { patch: { in: { role: Role }; out: Member }; delete: { out: void } }
  '/api/v1/workspaces/{ws}/leave': { post: { out: void } }
  '/api/v1/workspaces/{ws}/invitations': {
    get: { out: List<Invitation> }
    post: { in: { email: string; role: Role }; out: Invitation }
  }
  '/api/v1/workspaces/{ws}/invitations/{id}': { delete: { out: void } }
  '/api/v1/workspaces/{ws}/invitations/{id}/resend': { post: { out: Invitation } }
  '/api/v1/invitations/{token}': { get: { out: InvitationPreview } }
  '/api/v1/invitations/{token}/accept': { post: { out: Workspace } }
  '/api/v1/workspaces/{ws}/audit': { get: { query: AuditFilter & Paging; out: Page<AuditEntry> } }
  '/api/v1/admin/mail': { get: { query: Paging; out: Page<OutgoingMail> } }

  '/api/v1/workspaces/{ws}/events': { get: { query: { after: number; limit?: number }; out: EventPage } }
  '/api/v1/workspaces/{ws}/files': { post: { in: FormData; out: Attachment } }

  '/api/v1/workspaces/{ws}/chat/rooms': {
    get: { out: RoomList }
    post: { in: { name: string; topic?: string; visibility: Visibility; member_ids?: Id[] }; out: Room }
  }
  '/api/v1/workspaces/{ws}/chat/rooms/browse': { get: { query: { q?: string; cursor?: string }; out: Page<Room> } }
  '/api/v1/workspaces/{ws}/chat/direct': { post: { in: { user_ids: Id[] }; out: Room } }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}': {
    get: { out: Room }
    patch: { in: { name?: string; topic?: string | null; visibility?: Visibility; archived?: boolean }; out: Room }
  }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/join': { post: { out: Room } }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/leave': { post: { out: void } }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/members': {
    get: { out: List<RoomMember> }
    post: { in: { user_ids: Id[] }; out: List<RoomMember> }
  }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/members/{user}': { delete: { out: void } }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/membership': {
    patch: { in: { starred?: boolean; notify?: Notify }; out: Room }
  }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/read': {
    post: { in: { sequence: number }; out: Pick<Membership, 'read_sequence' | 'unread' | 'mentions'> }
  }
  '/api/v1/workspaces/{ws}/chat/rooms/{room}/messages': {
    get: { query: { before?: number; after?: number; around?: number; limit?: number }; out: MessageWindow }
    post: {
      in: { client_id: string; body: string; parent_id?: Id | null; quote_id?: Id | null; attachment_ids?: Id[] }
      out: Message
    }
  }
  '/api/v1/workspaces/{ws}/chat/messages/{id}': {
    get: { out: Message }
    patch: { in: { body: string }; out: Message }
    delete: { out: Message }
  }
  '/api/v1/workspaces/{ws}/chat/messages/{id}/thread': { get: { query: { after?: number; limit?: number }; out: Thread } }
  '/api/v1/workspaces/{ws}/chat/messages/{id}/reactions/{emoji}': { put: { out: Message }; delete: { out: Message } }
  '/api/v1/workspaces/{ws}/chat/search': {
    get: { query: { q: string; room_id?: Id; user_id?: Id; before?: string; limit?: number }; out: Page<SearchHit> }
  }
}

type Names<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never
type PathPart<Path extends string> = [Names<Path>] extends [never]
  ? { path?: never }
  : { path: Record<Names<Path>, string> }
type QueryPart<Entry> = Entry extends { query: infer Query }
  ? Record<string, never> extends Query
    ? { query?: Query }
    : Partial<Query> extends Query
      ? { query?: Query }
      : { query: Query }
  : { query?: never }

type BodyPart<Entry> = Entry extends { in: infer Body }
  ? { requestBody: { content: { 'application/json': Body } } }
  : { requestBody?: never }

type Operation<Path extends string, Entry> = BodyPart<Entry> & {
  parameters: PathPart<Path> & QueryPart<Entry> & { header?: never; cookie?: never }
  responses: { 200: { content: { 'application/json': Entry extends { out: infer Out } ? Out : never } } }
}

export type paths = {
  [Path in keyof Endpoints & string]: {
    [Method in keyof Endpoints[Path]]: Operation<Path, Endpoints[Path][Method]>
  }
}
