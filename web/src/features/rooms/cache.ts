/** The rooms and their last messages on disk, so that the page shows them before the network answers, or without it. */
import type { Database } from '@/offline'
import type { RoomsState } from './state'
import { liveSpan, slice, type Timeline } from './timeline'
import type { Id } from './types'

/** About a screen of messages in as many rooms as one visits in a week. */
const MESSAGES = 40
const ROOMS = 150

const HEAD = 'rooms/head'
const ROOM = 'rooms/timeline/'

type Head = Pick<RoomsState, 'rooms' | 'counts' | 'memberships' | 'left' | 'stays' | 'markers' | 'directory' | 'replyMentions'> & {
  /** position of the event log that all of it has */
  cursor: number
}

export interface Cached {
  state: Partial<RoomsState>
  cursor: number
}

export async function loadCache(database: Database): Promise<Cached | null> {
  try {
    const transaction = database.transaction('cache')
    const head = (await transaction.store.get(HEAD)) as Head | undefined
    if (!head) return null
    const range = IDBKeyRange.bound(ROOM, `${ROOM}\uffff`)
    const [keys, rows] = await Promise.all([transaction.store.getAllKeys(range), transaction.store.getAll(range)])
    const timelines = Object.fromEntries(keys.map((key, i) => [key.slice(ROOM.length), rows[i] as Timeline]))
    const { cursor, ...state } = head
    return { cursor, state: { ...state, timelines, ready: true } }
  } catch {
    return null
  }
}

/** The end of a row, as far as it is complete up to now. */
export function tailOf(timeline: Timeline): Timeline | null {
  const live = liveSpan(timeline)
  if (!live) return null
  const all = slice(timeline, live)
  if (all.length <= MESSAGES) return { messages: all, spans: [live] }
  const messages = all.slice(-MESSAGES)
  return { messages, spans: [{ from: messages[0]!.sequence, to: Infinity }] }
}

/** Writes what has changed since it wrote last, in one transaction, so head and rows are of the same position. */
export function cacheWriter(database: Database): (state: RoomsState, cursor: number) => Promise<void> {
  const written = new Map<Id, Timeline>()
  return async (state, cursor) => {
    const { rooms, counts, memberships, left, stays, markers, directory, replyMentions } = state
    const recent = Object.values(rooms)
      .filter((room) => room.id in stays && state.timelines[room.id])
      .sort((a, b) => (a.last_activity_at < b.last_activity_at ? 1 : -1))
      .slice(0, ROOMS)
    const kept = new Set(recent.map((room) => room.id))
    const changed = [...kept].filter((id) => written.get(id) !== state.timelines[id])
    const gone = [...written.keys()].filter((id) => !kept.has(id))
    const transaction = database.transaction('cache', 'readwrite')
    const head: Head = { rooms, counts, memberships, left, stays, markers, directory, replyMentions, cursor }
    const writes: Promise<unknown>[] = [transaction.store.put(head, HEAD)]
    for (const id of changed) {
      const tail = tailOf(state.timelines[id]!)
      writes.push(tail ? transaction.store.put(tail, ROOM + id) : transaction.store.delete(ROOM + id))
    }
    for (const id of gone) writes.push(transaction.store.delete(ROOM + id))
    await Promise.all([...writes, transaction.done])
    for (const id of changed) written.set(id, state.timelines[id]!)
    for (const id of gone) written.delete(id)
  }
}
