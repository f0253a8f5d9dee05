import { computed, nextTick, ref, useId, type Ref } from 'vue'
import { useWorkspace } from '@/app/workspace'
import { ranked } from '../search'
import { useRooms } from '../store'
import { mentionAt } from '../text/mentions'
import type { Id } from '../types'
import { usePeople } from './useRoom'

const SHOWN = 8

/** The list of people while "@…" is typed. Those in the room come first. */
export function useMentionPicker(options: {
  field: Ref<HTMLTextAreaElement | null>
  text: Ref<string>
  roomId: Ref<Id>
  onPick: (id: Id, name: string) => void
}) {
  const rooms = useRooms()
  const workspace = useWorkspace()
  const { nameOf } = usePeople()
  const listId = useId()
  const at = ref<{ from: number; query: string } | null>(null)
  const active = ref(0)

  const members = computed(() => rooms.state.roomMembers[options.roomId.value]?.byUser)
  const options_ = computed(() => {
    if (!at.value) return []
    const isDirect = rooms.state.rooms[options.roomId.value]?.kind === 'direct'
    const inRoom = (id: Id) => members.value?.[id]?.present ?? false
    const people = Object.values(rooms.state.directory)
      .filter((member) => member.status === 'active' && member.user_id !== workspace.me?.id)
      .map((member) => ({ id: member.user_id, name: member.name, email: member.email, present: inRoom(member.user_id) }))
      .sort((a, b) => Number(b.present) - Number(a.present) || a.name.localeCompare(b.name))
    const all = { id: 'all', name: nameOf('all'), email: 'all everyone', present: true }
    const found = ranked(isDirect ? people : [...people, all], at.value.query, (one) => `${one.name} ${one.email}`)
    return found.slice(0, SHOWN)
  })
  const open = computed(() => options_.value.length > 0)
  const activeId = computed(() => `${listId}-${active.value}`)

  function update(): void {
    const element = options.field.value
    const next = element && element.selectionStart === element.selectionEnd ? mentionAt(options.text.value, element.selectionStart) : null
    if (next?.query !== at.value?.query) active.value = 0
    // Closed by Escape: stays closed for this "@".
    at.value = next && next.from === dismissed ? null : next
    if (next?.from !== dismissed) dismissed = -1
  }
  let dismissed = -1

  function close(): void {
    dismissed = at.value?.from ?? dismissed
    at.value = null
  }

  function pick(index: number): void {
    const person = options_.value[index]
    const element = options.field.value
    if (!person || !at.value || !element) return
    const before = options.text.value.slice(0, at.value.from)
    const after = options.text.value.slice(element.selectionStart).replace(/^ /, '')
    const inserted = `@${person.name} `
    options.onPick(person.id, person.name)
    dismissed = at.value.from
    options.text.value = before + inserted + after
    at.value = null
    const caret = before.length + inserted.length
    void nextTick(() => {
      element.focus()
      element.setSelectionRange(caret, caret)
    })
  }

  /** True when the key was for the list. */
  function key(event: KeyboardEvent): boolean {
    if (!open.value) return false
    const count = options_.value.length
    if (event.key === 'ArrowDown') active.value = (active.value + 1) % count
    else if (event.key === 'ArrowUp') active.value = (active.value - 1 + count) % count
    else if (event.key === 'Enter' || event.key === 'Tab') pick(active.value)
    else if (event.key === 'Escape') close()
    else return false
    event.preventDefault()
    event.stopPropagation()
    return true
  }

  return { open, options: options_, active, activeId, listId, update, close, pick, key }
}

export type MentionPicker = ReturnType<typeof useMentionPicker>
