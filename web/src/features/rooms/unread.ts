/** Which messages count as unread, and for whom; the same rule as on the server. */
import type { RoomsState } from './state'
import { EMPTY_TIMELINE, liveSpan, lowerBound } from './timeline'
import type { Id, Message } from './types'

export function counts(message: Message, me: Id): boolean {
  return message.kind === 'text' && message.user_id !== me && message.deleted_at === null
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
 * threads mention too), it is the server's count as of a sequence plus what has come since. No event adds to a number, so
 * duplicates can't count twice.
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
  const { messages } = timeline
  for (let i = lowerBound(messages, read + 1); i < messages.length; i++) {
    const message = messages[i]!
    if (!counts(message, state.me)) continue
    const after = message.sequence > since
    if (complete || after) result.unread++
    if (after && mentions(message, state.me)) result.mentions++
  }
  for (const sequence of state.replyMentions[roomId] ?? []) if (sequence > since) result.mentions++
  return result
}
