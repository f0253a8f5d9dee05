/** Which messages count as unread, and for whom; the same rule as on the server. */
import type { RoomsState } from './state'
import { EMPTY_TIMELINE, liveSpan, lowerBound } from './timeline'
import type { Id, Message } from './types'

/** Counts unless it is deleted. */
export function concerns(message: Message, me: Id): boolean {
  return message.kind === 'text' && message.user_id !== me
}

export function counts(message: Message, me: Id): boolean {
  return concerns(message, me) && message.deleted_at === null
}

export function mentions(message: Message, me: Id): boolean {
  return message.mentions.includes(me) || message.mentions.includes('all') || message.body.includes('<@all>')
}

export interface Unread {
  unread: number
  mentions: number
}

/** My own marker, from whichever device it came. */
export function readTo(state: RoomsState, roomId: Id): number {
  return state.markers[roomId]?.[state.me] ?? 0
}

/**
 * Unread messages are counted from the row itself where it is known completely; otherwise, and for mentions (replies in
 * threads mention too), it is the server's count as of a sequence plus what has come since, without what it counted and
 * was deleted since. No event adds to a number, so duplicates can't count twice.
 */
export function unreadOf(state: RoomsState, roomId: Id): Unread {
  const entry = state.memberships[roomId]
  if (!entry) return { unread: 0, mentions: 0 }
  const timeline = state.timelines[roomId] ?? EMPTY_TIMELINE
  const read = readTo(state, roomId)
  const live = liveSpan(timeline)
  const complete = live !== undefined && live.from <= read + 1
  // The server's count is of another marker when this one has moved since.
  const trusted = read === entry.membership.read_sequence
  const since = trusted ? Math.max(read, entry.countedTo) : read
  const base = trusted ? entry.membership : { unread: 0, mentions: 0 }
  const result = { unread: complete ? 0 : base.unread, mentions: base.mentions }
  /** What a message adds to the server's count: one that is younger, minus one that was taken away from it. */
  const change = (sequence: number, deleted: number | null): number => {
    if (deleted === null) return sequence > since ? 1 : 0
    return sequence > read && sequence <= since && deleted > entry.countedIn ? -1 : 0
  }
  const { messages } = timeline
  for (let i = lowerBound(messages, read + 1); i < messages.length; i++) {
    const message = messages[i]!
    if (!concerns(message, state.me)) continue
    const deleted = message.deleted_at === null ? null : message.version
    const changed = change(message.sequence, deleted)
    result.unread += complete ? Number(deleted === null) : changed
    if (mentions(message, state.me)) result.mentions += changed
  }
  for (const { sequence, deleted } of state.replyMentions[roomId] ?? []) result.mentions += change(sequence, deleted)
  // The server counts a thousand back; of what lies before it nothing is taken off.
  return { unread: Math.max(0, result.unread), mentions: Math.max(0, result.mentions) }
}
