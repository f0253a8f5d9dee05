import { computed, ref, shallowRef, watch, type Ref } from 'vue'
import { useRooms } from '../store'
import { toDisplay, toSource } from '../text/mentions'
import type { Id, Message } from '../types'
import { useMessageActions } from './useMessageActions'
import { usePeople } from './useRoom'
import type { Tray } from './useTray'
import { useTypingSignal } from './useTyping'

/** The text being written in a room or a thread: draft, quote, edit of an earlier message. */
export function useComposer(roomId: Ref<Id>, threadId: Ref<Id | null>, tray: Tray) {
  const rooms = useRooms()
  const actions = useMessageActions()
  const { nameOf } = usePeople()
  const signal = useTypingSignal(roomId, threadId)

  const text = ref('')
  const quote = shallowRef<Message | null>(null)
  const editing = shallowRef<Message | null>(null)
  /** Who was chosen for a name, where a name alone isn't enough. */
  const picked = new Map<string, Id>()

  const key = computed(() => (threadId.value ? `thread/${threadId.value}` : `room/${roomId.value}`))
  const people = computed(() => [
    ...[...new Set(['all', nameOf('all')])].map((name) => ({ id: 'all', name })),
    ...Object.values(rooms.state.directory).map(({ user_id, name }) => ({ id: user_id, name })),
  ])
  const source = () => toSource(text.value.trim(), people.value, picked)
  const sendable = computed(() => text.value.trim() !== '' || (!tray.empty.value && !editing.value))

  watch(
    [key, () => rooms.connected],
    () => {
      quote.value = editing.value = null
      text.value = toDisplay(rooms.connected?.drafts.get(key.value) ?? '', nameOf)
    },
    { immediate: true },
  )

  // Kept as it is sent, so names may change while it waits.
  watch(text, (now) => {
    if (editing.value) return
    rooms.connected?.drafts.set(key.value, now.trim() === '' ? '' : toSource(now, people.value, picked))
    if (now.trim() !== '') signal.typing()
    else signal.stopped()
  })

  function pick(id: Id, name: string): void {
    picked.set(name, id)
  }

  function startEdit(message: Message): void {
    quote.value = null
    editing.value = message
    text.value = toDisplay(message.body, nameOf)
  }

  function cancelEdit(): void {
    editing.value = null
    text.value = toDisplay(rooms.connected?.drafts.get(key.value) ?? '', nameOf)
  }

  /** True when a message went out. */
  function submit(): boolean {
    if (!sendable.value) return false
    if (editing.value) {
      const message = editing.value
      const body = source()
      cancelEdit()
      actions.edit(message, body)
      return false
    }
    const { files, blobs } = tray.take()
    actions.send(roomId.value, { body: source(), parent_id: threadId.value, quote: quote.value, files, blobs })
    text.value = ''
    quote.value = null
    picked.clear()
    signal.stopped()
    return true
  }

  return { text, quote, editing, sendable, pick, startEdit, cancelEdit, submit }
}
