import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { useWorkspace } from '@/app/workspace'
import type { Drafts, Outbox } from '@/offline'
import type { WorkspaceStream } from '@/realtime/stream'
import type { RoomsApi } from './api'
import type { Operation } from './operations'
import { applyAll, type Input } from './reducer'
import { roomSummaries, type RoomSummary } from './selectors'
import { emptyState } from './state'
import type { Id, Member } from './types'

/** What is open for the workspace on the page. */
export interface Connected {
  api: RoomsApi
  drafts: Drafts
  outbox: Outbox<Operation>
  stream: () => WorkspaceStream | null
}

/** Reads anew what a page shows, for when nothing that is known is complete any more. */
export type Reload = () => Promise<Input[]>

export const useRooms = defineStore('rooms', () => {
  const state = shallowRef(emptyState(''))
  const connected = shallowRef<Connected | null>(null)
  const error = shallowRef<unknown>(null)
  const reloads = new Set<Reload>()
  /** Asks for the list again after it failed. */
  const again = shallowRef<() => void>(() => undefined)
  let summarise = roomSummaries()

  const ready = computed(() => state.value.ready)
  const summaries = computed(() => summarise(state.value))
  const byId = computed(() => new Map(summaries.value.map((summary) => [summary.id, summary])))

  function dispatch(...inputs: Input[]): void {
    state.value = applyAll(state.value, inputs)
  }

  function reset(me: Id): void {
    summarise = roomSummaries()
    state.value = emptyState(me)
    error.value = null
  }

  function summary(id: Id): RoomSummary | undefined {
    return byId.value.get(id)
  }

  function member(id: Id): Member | undefined {
    return state.value.directory[id] ?? useWorkspace().members.get(id)
  }

  return { state, connected, error, reloads, again, retry: () => again.value(), ready, summaries, dispatch, reset, summary, member }
})
