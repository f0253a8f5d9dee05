import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import type { Source, TailState } from './source'
import type { TailBatch, TailedEvent } from './types'

export const KEPT = 500 // events; older ones make room

export interface TailLine extends TailedEvent {
  id: number
}

/** The events of one channel. While paused they are gathered, not shown. */
export function useTail(source: Source, app: Ref<string>, channel: Ref<string>) {
  const lines = shallowRef<TailLine[]>([])
  const gathered = shallowRef<TailLine[]>([])
  const state = ref<TailState>('connecting')
  const paused = ref(false)
  const filter = ref('')
  /** Of this tail and of those before a connection was lost. */
  const counts = ref({ seen: 0, dropped: 0 })

  let number = 0
  let before = { seen: 0, dropped: 0 }
  let latest = { seen: 0, dropped: 0 }
  let stop: (() => void) | undefined

  function hear(batch: TailBatch): void {
    if (batch.seen < latest.seen) before = { seen: before.seen + latest.seen, dropped: before.dropped + latest.dropped }
    latest = { seen: batch.seen, dropped: batch.dropped }
    counts.value = { seen: before.seen + batch.seen, dropped: before.dropped + batch.dropped }
    if (!batch.events.length) return
    const added = batch.events.map((event) => ({ ...event, id: ++number }))
    const into = paused.value ? gathered : lines
    into.value = [...into.value, ...added].slice(-KEPT)
  }

  function open(): void {
    stop?.()
    before = latest = { seen: 0, dropped: 0 }
    counts.value = { seen: 0, dropped: 0 }
    lines.value = gathered.value = []
    stop = source.tail(app.value, channel.value, { batch: hear, state: (next) => (state.value = next) })
  }

  function clear(): void {
    lines.value = gathered.value = []
  }

  watch(paused, (held) => {
    if (held) return
    lines.value = [...lines.value, ...gathered.value].slice(-KEPT)
    gathered.value = []
  })
  watch([app, channel], open, { immediate: true })
  onScopeDispose(() => stop?.())

  const shown = computed(() => {
    const wanted = filter.value.trim().toLowerCase()
    return wanted ? lines.value.filter((line) => matches(line, wanted)) : lines.value
  })

  return { shown, lines, gathered, state, paused, filter, counts, clear, open }
}

function matches(line: TailLine, wanted: string): boolean {
  return line.event.toLowerCase().includes(wanted) || line.data.toLowerCase().includes(wanted) || line.user_id?.toLowerCase() === wanted
}

/** On one line, with the characters that are meant instead of their escapes. */
export function compact(line: TailedEvent): string {
  if (!line.data.includes('\\u') && !line.data.includes('\n')) return line.data
  const value = parsed(line)
  return value === undefined ? line.data : JSON.stringify(value)
}

/** Indented when it is JSON (and whole), otherwise as it came. */
export function pretty(line: TailedEvent): string {
  const value = parsed(line)
  return value === undefined ? line.data : JSON.stringify(value, null, 2)
}

/** One event as it is copied. */
export function copyText(line: TailedEvent, channel: string): string {
  const value = parsed(line)
  const data = value === undefined ? line.data : value
  const user = line.user_id === null ? {} : { user_id: line.user_id }
  return JSON.stringify({ at: new Date(line.at).toISOString(), channel, event: line.event, data, ...user })
}

/** undefined for text that is no JSON, or of which only the beginning is here. */
function parsed(line: TailedEvent): unknown {
  try {
    return line.cut ? undefined : JSON.parse(line.data)
  } catch {
    return undefined
  }
}
