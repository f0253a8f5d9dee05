import { refDebounced } from '@vueuse/core'
import { computed, ref, shallowRef, watch } from 'vue'
import { useRooms } from '../store'
import type { Id, SearchHit } from '../types'

const PAGE = 30

/** Searching messages, in one room or in all of mine. Answers that come too late are dropped. */
export function useSearch(roomId: () => Id | null) {
  const rooms = useRooms()
  const query = ref('')
  const scope = ref<'room' | 'all'>(roomId() ? 'room' : 'all')
  const asked = refDebounced(query, 250)
  const hits = shallowRef<SearchHit[] | null>(null)
  const next = ref<string | null>(null)
  const error = shallowRef<unknown>(null)
  const words = computed(() => asked.value.trim().split(/\s+/).filter(Boolean))
  let turn = 0

  async function page(before?: string) {
    const room_id = scope.value === 'room' ? (roomId() ?? undefined) : undefined
    return rooms.connected!.api.search({ q: asked.value.trim(), room_id, before, limit: PAGE })
  }

  async function run(): Promise<void> {
    const mine = ++turn
    error.value = null
    hits.value = null
    next.value = null
    if (words.value.length === 0 || !rooms.connected) return
    try {
      const found = await page()
      if (mine !== turn) return
      hits.value = found.items
      next.value = found.next_cursor
    } catch (reason) {
      if (mine === turn) error.value = reason
    }
  }

  async function more(): Promise<void> {
    const before = next.value
    if (!before || !hits.value) return
    next.value = null
    const mine = turn
    try {
      const found = await page(before)
      if (mine !== turn) return
      hits.value = [...hits.value, ...found.items]
      next.value = found.next_cursor
    } catch {
      if (mine === turn) next.value = before // scrolling on asks again
    }
  }

  watch([asked, scope, roomId], () => void run())
  return { query, scope, hits, error, words, run, more }
}
