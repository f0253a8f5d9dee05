/** Tells a person about a message that just came: sound and desktop notification, in one tab only. */
import { shallowRef } from 'vue'
import { i18n } from '@/app/i18n'
import { router } from '@/app/router'
import { useWorkspace } from '@/app/workspace'
import { roomTitle } from './names'
import { desktopOn, soundOn } from './settings'
import { chime } from './sound'
import type { RoomsState } from './state'
import { useRooms } from './store'
import { plainText } from './text/markdown'
import { EMPTY_TIMELINE, messageAt } from './timeline'
import type { Id, Message } from './types'
import { counts, mentions } from './unread'

/** The room that is open on this page. */
export const viewing = shallowRef<Id | null>(null)

/** Older ones came with the catch-up: they are unread, not news. */
const NEWS_MS = 60_000
const ONE_TAB_MS = 1_500

export function isNews(before: RoomsState, message: Message, now: number): boolean {
  if (!counts(message, before.me) || now - Date.parse(message.created_at) > NEWS_MS) return false
  const row = message.parent_id ? before.threads[message.parent_id] : before.timelines[message.room_id]
  return messageAt(row ?? EMPTY_TIMELINE, message.sequence) === undefined
}

/** Whether this person wants to hear of it. */
export function isWanted(state: RoomsState, message: Message): boolean {
  const notify = state.memberships[message.room_id]?.membership.notify ?? 'none'
  if (notify === 'none') return false
  const mentioned = mentions(message, state.me)
  // Replies concern those who are named; the parent shows the rest.
  if (message.parent_id) return mentioned
  return notify === 'all' || mentioned || state.rooms[message.room_id]?.kind === 'direct'
}

export function announce(before: RoomsState, message: Message): void {
  if (!isNews(before, message, Date.now()) || !isWanted(before, message)) return
  const focused = document.visibilityState === 'visible' && document.hasFocus()
  if (focused && viewing.value === message.room_id) return
  void inOneTab(message.id, () => {
    if (soundOn.value) chime()
    if (!focused) notify(message)
  })
}

async function inOneTab(id: Id, tell: () => void): Promise<void> {
  if (!navigator.locks) return tell()
  await navigator.locks.request(`kanal.news/${id}`, { ifAvailable: true }, async (lock) => {
    if (!lock) return
    tell()
    await new Promise((resolve) => setTimeout(resolve, ONE_TAB_MS))
  })
}

function notify(message: Message): void {
  if (!desktopOn.value || typeof Notification === 'undefined' || Notification.permission !== 'granted') return
  const rooms = useRooms()
  const room = rooms.state.rooms[message.room_id]
  if (!room) return
  const t = i18n.global.t
  const sender = rooms.member(message.user_id)?.name ?? ''
  const name = (id: Id) => (id === 'all' ? t('rooms.mention.all') : (rooms.member(id)?.name ?? ''))
  const title = room.kind === 'direct' ? sender : `${sender} · ${roomTitle(room, rooms.state.me, name)}`
  const body = plainText(message.body, name) || t('rooms.preview.file')
  try {
    const shown = new Notification(title, { body, tag: message.room_id })
    shown.onclick = () => {
      window.focus()
      shown.close()
      const slug = useWorkspace().slug
      if (slug) void router.push({ name: 'rooms.room', params: { slug, room: message.room_id }, query: { m: message.id } })
    }
  } catch {
    // Some mobile browsers only notify from a service worker.
  }
}
