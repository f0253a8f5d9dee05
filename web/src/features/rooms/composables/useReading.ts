import { onScopeDispose, ref, watch, type Ref } from 'vue'
import { useDocumentVisibility, useWindowFocus } from '@vueuse/core'
import { useRooms } from '../store'
import type { Id } from '../types'
import { readTo } from '../unread'

/** One request for what is read in this time. */
const THROTTLE_MS = 800

/**
 * Moves my marker to what was really looked at: on screen, in a visible page that has the focus. `line` is where the
 * unread messages began when the room was opened; it stays while one reads.
 */
export function useReading(roomId: Ref<Id>, active: Ref<boolean>) {
  const rooms = useRooms()
  const visibility = useDocumentVisibility()
  const focused = useWindowFocus()
  const line = ref<number | null>(null)
  const seen = ref(0)
  let sent = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(
    [roomId, () => rooms.ready],
    () => {
      clearTimeout(timer)
      timer = undefined
      seen.value = sent = readTo(rooms.state, roomId.value)
      line.value = rooms.summary(roomId.value)?.unread ? sent : null
    },
    { immediate: true },
  )

  // What comes while one looks elsewhere gets its own line.
  watch([visibility, focused, active], ([visible, hasFocus, open]) => {
    const looking = visible === 'visible' && hasFocus && open
    if (looking) flush()
    else if (!rooms.summary(roomId.value)?.unread) line.value = readTo(rooms.state, roomId.value)
  })

  function look(sequence: number): void {
    if (sequence <= seen.value) return
    seen.value = sequence
    flush()
  }

  function flush(): void {
    if (timer || !active.value || visibility.value !== 'visible' || !focused.value) return
    if (seen.value <= Math.max(sent, readTo(rooms.state, roomId.value))) return
    void send()
    timer = setTimeout(() => {
      timer = undefined
      flush()
    }, THROTTLE_MS)
  }

  async function send(): Promise<void> {
    const room = roomId.value
    const sequence = (sent = seen.value)
    // Shown at once; the marker only rises, so a failed request is made good by the next one.
    rooms.dispatch({ type: 'read', room_id: room, read_sequence: sequence })
    try {
      await rooms.connected?.api.read(room, sequence)
    } catch {
      if (room === roomId.value) sent = Math.min(sent, sequence - 1)
    }
  }

  // What was read in the last moment before one goes elsewhere is read, too.
  onScopeDispose(() => {
    clearTimeout(timer)
    timer = undefined
    flush()
    clearTimeout(timer)
  })
  return { line, look, clearLine: () => (line.value = null) }
}
