/** What stands one below the other in a thread, and how neighbours belong together. */
import type { PendingMessage } from './state'
import type { Message } from './types'

/** The head of a room, shown where its first message is known. */
export const INTRO = Object.freeze({ special: 'intro' as const })
/** Between the head of a thread and its replies. */
export const REPLIES = Object.freeze({ special: 'replies' as const })

export type SpecialRow = typeof INTRO | typeof REPLIES
export type Row = Message | PendingMessage | SpecialRow

export const isSpecial = (row: Row | undefined): row is SpecialRow => row !== undefined && 'special' in row
export const isPending = (row: Row | undefined): row is PendingMessage => row !== undefined && 'failure' in row
export const isMessage = (row: Row | undefined): row is Message => row !== undefined && 'sequence' in row

/** A message keeps its key when the server confirms it, so nothing is drawn anew. */
export function rowKey(row: Row): string {
  if (isSpecial(row)) return row.special
  return row.client_id ?? (row as Message).id
}

/** A pause that begins a new group. */
const GROUP_MS = 5 * 60_000

export function senderOf(row: Row, me: string): string {
  return isMessage(row) ? row.user_id : me
}

function isTalk(row: Row | undefined): row is Message | PendingMessage {
  return row !== undefined && !isSpecial(row) && !(isMessage(row) && row.kind === 'system')
}

export function sameDay(a: string, b: string): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString()
}

export function startsDay(row: Row, before: Row | undefined): boolean {
  if (isSpecial(row)) return false
  return before === undefined || isSpecial(before) || !sameDay(row.created_at, before.created_at)
}

/** First of a run of one sender: gets the name, the picture and the tail. */
export function startsGroup(row: Row, before: Row | undefined, me: string): boolean {
  if (!isTalk(row) || !isTalk(before)) return true
  return (
    senderOf(row, me) !== senderOf(before, me) ||
    !sameDay(row.created_at, before.created_at) ||
    Date.parse(row.created_at) - Date.parse(before.created_at) > GROUP_MS
  )
}
