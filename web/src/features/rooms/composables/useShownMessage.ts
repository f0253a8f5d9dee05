import { computed, type Ref } from 'vue'
import type { Change } from '../state'
import { useRooms } from '../store'
import type { Message, Reaction } from '../types'

export function applyChange(message: Message, change: Change, now: string): Message {
  switch (change.kind) {
    case 'edit':
      return { ...message, body: change.body, edited_at: message.edited_at ?? now }
    case 'delete':
      return { ...message, body: '', attachments: [], reactions: [], deleted_at: message.deleted_at ?? now }
    case 'react':
      return { ...message, reactions: withReaction(message.reactions, change) }
  }
}

function withReaction(reactions: Reaction[], change: { emoji: string; on: boolean; user_id: string }): Reaction[] {
  const { emoji, on, user_id } = change
  const known = reactions.find((one) => one.emoji === emoji)
  if (!known) return on ? [...reactions, { emoji, user_ids: [user_id] }] : reactions
  const others = known.user_ids.filter((id) => id !== user_id)
  const user_ids = on ? [...others, user_id] : others
  return reactions.map((one) => (one === known ? { emoji, user_ids } : one)).filter((one) => one.user_ids.length > 0)
}

/** A message as it will be once what I did to it has arrived. */
export function useShownMessage(message: Ref<Message>) {
  const rooms = useRooms()
  const changes = computed(() => rooms.state.overlays.filter((one) => one.message_id === message.value.id))
  const now = new Date().toISOString()
  return computed(() => changes.value.reduce((shown, { change }) => applyChange(shown, change, now), message.value))
}
