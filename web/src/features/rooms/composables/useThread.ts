import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { useRooms } from '../store'
import { EMPTY_TIMELINE, liveSpan, slice } from '../timeline'
import type { Id } from '../types'

/** A message and all its replies. */
export function useThread(parentId: Ref<Id>, roomId: Ref<Id>) {
  const rooms = useRooms()
  const error = shallowRef<unknown>(null)
  const loading = ref(false)

  const row = computed(() => rooms.state.threads[parentId.value] ?? EMPTY_TIMELINE)
  const parent = computed(() =>
    rooms.state.timelines[roomId.value]?.messages.findLast((message) => message.id === parentId.value),
  )
  const span = computed(() => liveSpan(row.value))
  const replies = computed(() => (span.value ? slice(row.value, span.value) : []))
  const loaded = computed(() => span.value !== undefined)

  async function load(): Promise<void> {
    const api = rooms.connected?.api
    const id = parentId.value
    if (!api || loaded.value) return
    loading.value = true
    error.value = null
    try {
      for (let after = 0, more = true; more && id === parentId.value; ) {
        const page = await api.thread(id, after)
        rooms.dispatch({ type: 'thread', parent_id: id, page, after })
        more = page.has_after && page.items.length > 0
        after = page.items.at(-1)?.sequence ?? after
      }
    } catch (reason) {
      error.value = reason
    } finally {
      loading.value = false
    }
  }

  watch([parentId, () => rooms.connected, loaded], () => void load(), { immediate: true })

  const reload = async () => {
    const api = rooms.connected?.api
    const id = parentId.value
    return api ? [{ type: 'thread' as const, parent_id: id, page: await api.thread(id, 0), after: 0 }] : []
  }
  rooms.reloads.add(reload)
  onScopeDispose(() => rooms.reloads.delete(reload))

  return { parent, replies, loaded, loading, error, load }
}
