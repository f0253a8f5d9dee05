import type { Id, Room } from './types'

/** A direct room is called after the others in it; alone in it, after oneself. */
export function roomTitle(room: Room, me: Id, nameOf: (id: Id) => string): string {
  if (room.kind !== 'direct') return room.name ?? ''
  const others = (room.member_ids ?? []).filter((id) => id !== me)
  return (others.length ? others : [me]).map(nameOf).join(', ')
}

/** The one other person of a direct room between two. */
export function partnerOf(room: Room, me: Id): Id | null {
  if (room.kind !== 'direct') return null
  const others = (room.member_ids ?? []).filter((id) => id !== me)
  return others.length === 1 ? others[0]! : others.length === 0 ? me : null
}
