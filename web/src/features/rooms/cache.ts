/** The rooms and their last messages on disk, so that the page shows them before the network answers, or without it. */
import { useDebounceFn } from '@vueuse/core'
import { watch } from 'vue'
import type { Database } from '@/offline'
import type { RoomsState } from './state'
import { liveSpan, slice, type Timeline } from './timeline'
import type { Id } from './types'

/** About a screen of messages in as many rooms as one visits in a week. */
const MESSAGES = 40
const ROOMS = 150

const HEAD = 'rooms/head'
const ROOM = 'rooms/timeline/'

/** Written when nothing has changed for this long, or after the longest wait while everybody talks. */
const QUIET_MS = 2_500
const LONGEST_MS = 15_000

const PARTS = ['rooms', 'counts', 'memberships', 'left', 'stays', 'markers', 'directory', 'replyMentions'] as const

type Head = Pick<RoomsState, (typeof PARTS)[number]> & {
  /** position of the event log that all of it has */
  cursor: number
}

type Write = (state: RoomsState, cursor: number) => Promise<void>

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
export function cacheWriter(database: Database): Write {
  const written = new Map<Id, Timeline>()
  let known: Head | null = null
  return async (state, cursor) => {
    const head = headOf(state, cursor)
    const recent = Object.values(state.rooms)
      .filter((room) => room.id in state.stays && state.timelines[room.id])
      .sort((a, b) => (a.last_activity_at < b.last_activity_at ? 1 : -1))
      .slice(0, ROOMS)
    const kept = new Set(recent.map((room) => room.id))
    const changed = [...kept].filter((id) => written.get(id) !== state.timelines[id])
    const gone = [...written.keys()].filter((id) => !kept.has(id))
    if (changed.length === 0 && gone.length === 0 && known && isSame(head, known)) return
    const transaction = database.transaction('cache', 'readwrite')
    const writes: Promise<unknown>[] = [transaction.store.put(head, HEAD)]
    for (const id of changed) {
      const tail = tailOf(state.timelines[id]!)
      writes.push(tail ? transaction.store.put(tail, ROOM + id) : transaction.store.delete(ROOM + id))
    }
    for (const id of gone) writes.push(transaction.store.delete(ROOM + id))
    await Promise.all([...writes, transaction.done])
    known = head
    for (const id of changed) written.set(id, state.timelines[id]!)
    for (const id of gone) written.delete(id)
  }
}

function headOf({ rooms, counts, memberships, left, stays, markers, directory, replyMentions }: RoomsState, cursor: number): Head {
  return { rooms, counts, memberships, left, stays, markers, directory, replyMentions, cursor }
}

function isSame(head: Head, known: Head): boolean {
  return head.cursor === known.cursor && PARTS.every((part) => head[part] === known[part])
}

/** Has it written some time after a change, and at once when the page may be about to go. */
export function keepCache(write: Write, state: () => RoomsState, cursor: () => number | null): () => void {
  let stopped = false
  const flush = (): void => {
    const at = cursor()
    // A disk that is full or gone costs the next page load its head start, nothing else.
    if (!stopped && at !== null && state().ready) write(state(), at).catch(() => undefined)
  }
  const hidden = () => document.visibilityState === 'hidden' && flush()
  const unwatch = watch(
    [...PARTS, 'timelines' as const].map((part) => () => state()[part]),
    useDebounceFn(flush, QUIET_MS, { maxWait: LONGEST_MS }),
  )
  window.addEventListener('pagehide', flush)
  document.addEventListener('visibilitychange', hidden) // a phone gives no other warning
  return () => {
    stopped = true
    unwatch()
    window.removeEventListener('pagehide', flush)
    document.removeEventListener('visibilitychange', hidden)
  }
}
