/** Messages, threads, and what was written here but is not confirmed yet. */
import type { Failure, PendingMessage, RoomsState } from '../state'
import { applyPage as coverPage, EMPTY_TIMELINE, upsert } from '../timeline'
import type { Id, Message, MessagePage, PageAnchor, ThreadPage } from '../types'
import { concerns, mentions } from '../unread'
import { applyTyping } from './people'
import { put } from './record'

export function applyPage(
  state: RoomsState,
  roomId: Id,
  page: MessagePage,
  anchor: PageAnchor,
  stay?: string | null,
): RoomsState {
  // I left and came back while it was on its way: it doesn't have what was said in between.
  if (stay !== undefined && stay !== (state.stays[roomId] ?? null)) return state
  const timeline = coverPage(state.timelines[roomId] ?? EMPTY_TIMELINE, page, anchor)
  return confirm({ ...state, timelines: put(state.timelines, roomId, timeline) }, page.items)
}

export function applyThread(state: RoomsState, parentId: Id, page: ThreadPage, after: number): RoomsState {
  const next = applyMessage(state, page.parent)
  const row = coverPage(
    next.threads[parentId] ?? EMPTY_TIMELINE,
    { items: page.items, has_before: false, has_after: page.has_after },
    { after },
  )
  return confirm({ ...next, threads: put(next.threads, parentId, row) }, page.items)
}

export function applyMessage(state: RoomsState, message: Message): RoomsState {
  const next = message.parent_id
    ? applyReply(state, message.parent_id, message)
    : { ...state, timelines: take(state.timelines, message.room_id, message) }
  return confirm(stopTyping(next, message), [message])
}

function applyReply(state: RoomsState, parentId: Id, message: Message): RoomsState {
  const before = state.threads[parentId]
  const threads = take(state.threads, parentId, message)
  if (threads[parentId] === before) return state
  const known = state.replyMentions[message.room_id] ?? []
  const others = known.filter((reply) => reply.sequence !== message.sequence)
  const mine = concerns(message, state.me) && mentions(message, state.me)
  if (!mine && others.length === known.length) return { ...state, threads }
  const { sequence, version } = message
  const replies = mine ? [...others, { sequence, deleted: message.deleted_at === null ? null : version }] : others
  return { ...state, threads, replyMentions: put(state.replyMentions, message.room_id, replies) }
}

function take(rows: RoomsState['threads'], key: Id, message: Message): RoomsState['threads'] {
  const known = rows[key] ?? EMPTY_TIMELINE
  const row = upsert(known, message)
  return row === known ? rows : put(rows, key, row)
}

/** Takes away what was shown ahead of the server, for messages that have arrived. */
function confirm(state: RoomsState, messages: readonly Message[]): RoomsState {
  if (state.pending.length === 0) return state
  const arrived = new Set(messages.map((message) => message.client_id))
  const pending = state.pending.filter((item) => !arrived.has(item.client_id))
  return pending.length === state.pending.length ? state : { ...state, pending }
}

export function applyPending(state: RoomsState, message: PendingMessage): RoomsState {
  const row = message.parent_id ? state.threads[message.parent_id] : state.timelines[message.room_id]
  // Restored from the disk after the server had confirmed it.
  if (row?.messages.some((known) => known.client_id === message.client_id)) return state
  const known = state.pending.findIndex((item) => item.client_id === message.client_id)
  return { ...state, pending: known < 0 ? [...state.pending, message] : state.pending.with(known, message) }
}

export function removePending(state: RoomsState, clientId: string): RoomsState {
  return { ...state, pending: state.pending.filter((item) => item.client_id !== clientId) }
}

export function failPending(state: RoomsState, clientId: string, failure: Failure | null): RoomsState {
  const pending = state.pending.map((item) => (item.client_id === clientId ? { ...item, failure } : item))
  return { ...state, pending }
}

function stopTyping(state: RoomsState, message: Message): RoomsState {
  if (!state.typing[message.room_id]?.some((typist) => typist.user_id === message.user_id)) return state
  const { room_id, user_id } = message
  return applyTyping(state, { room_id, user_id, thread: null, typing: false, until: 0 })
}
