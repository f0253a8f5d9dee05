import { computed } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'
import type { Id } from '../types'

export type Side = 'details' | 'search' | 'thread'

/** The pane beside the messages lives in the address: a link opens it, the back button closes it. */
export function useSidePane() {
  const route = useRoute()
  const router = useRouter()
  const thread = computed<Id | null>(() => (typeof route.query.thread === 'string' ? route.query.thread : null))
  const pane = computed<Side | null>(() => {
    if (thread.value) return 'thread'
    const asked = route.query.pane
    return asked === 'details' || asked === 'search' ? asked : null
  })

  function go(query: LocationQueryRaw): void {
    void router.push({ name: 'rooms.room', params: route.params, query })
  }

  return {
    thread,
    pane,
    open: (side: 'details' | 'search') => go({ pane: side }),
    toggle: (side: 'details' | 'search') => (pane.value === side ? go({}) : go({ pane: side })),
    openThread: (id: Id) => go({ thread: id }),
    close: () => go({}),
  }
}
