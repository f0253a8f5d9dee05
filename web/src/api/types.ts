/**
 * The API's shapes under the names the app uses. The shapes themselves are generated from the server's own
 * description (`npm run api` writes schema.d.ts from openapi.json): nothing is said twice.
 */
import type { components } from './schema'

type Schemas = components['schemas']

export type Id = string
/** ISO 8601, UTC, milliseconds. */
export type Timestamp = string

/** The one form of every refusal; described by no single operation, so it is written here. */
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
export type Role = Schemas['Role']
export type Theme = Schemas['Theme']
export type LocaleCode = Schemas['Locale']
export type User = Schemas['UserView']
export type Session = Schemas['SessionView']
export type RealtimeConfig = Schemas['RealtimeInfo']
export type WorkspaceSummary = Schemas['WorkspaceSummary']
export type Workspace = Schemas['WorkspaceView']
export type WorkspaceSettings = Schemas['WorkspaceSettings']
export type Member = Schemas['MemberView']
export type Invitation = Schemas['InvitationView']
export type AuthSession = Schemas['SignInView']
export type Token = Schemas['TokenView']
export type NewToken = Schemas['NewTokenView']
export type AuditEntry = Schemas['AuditView']
export type OutgoingMail = Schemas['MailView']
export type Meta = Schemas['Meta']
export type DemoAccount = Schemas['DemoAccount']

// --- rooms
export type Room = Schemas['RoomView']
export type RoomKind = Room['kind']
export type Visibility = Room['visibility']
export type Membership = Schemas['MembershipView']
export type Notify = Membership['notify']
export type LastMessage = Schemas['LastMessage']
export type RoomMember = Schemas['RoomMemberView']
export type RoomList = Schemas['RoomList']
export type Message = Schemas['MessageView']
export type MessageKind = Message['kind']
export type SystemNote = Schemas['SystemNote']
export type Quote = Schemas['Quote']
export type Reaction = Schemas['Reaction']
export type Attachment = Schemas['AttachmentView']
export type MessageWindow = Schemas['Timeline']
export type Thread = Schemas['Thread']
export type SearchHit = Schemas['SearchHit']

// --- what was missed
export type EventPage = Schemas['CatchUp']
export type LoggedEvent = Schemas['MissedEvent']
