import { useDocumentVisibility, useIntervalFn } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { isAbort } from '@/api/error'
import { addTraffic, isSameLook, NO_RATES, ratesBetween, type Rated } from './rates'
import { withSample, type Sample } from './series'
import type { Source } from './source'
import type { ClusterFigures, Traffic } from './types'

const EVERY_MS = 1_000
const LATER_MS = 4_000 // after a failure
const PATIENCE_MS = 2_500 // one late answer is no news

export type Shown = 'connections' | 'channels' | Rated

/** What was seen before, by source: leaving the page and coming back does not empty its lines. */
const remembered = new Map<string, Sample<Shown>[]>()

/** Asks every second while the page is seen. Failures after the first answer leave the last figures standing. */
export function useConsole(source: Source) {
  const state = shallowRef<ClusterFigures | null>(null)
  const rates = shallowRef(NO_RATES)
  const samples = shallowRef(remembered.get(source.id) ?? [])
  const error = shallowRef<unknown>(null)
  const answeredAt = ref(Date.now())
  const now = ref(Date.now())
  const total = computed<Traffic | null>(() => state.value && addTraffic(state.value.nodes.map((node) => node.total)))
  /** Seconds without an answer, once that is worth saying. */
  const lostFor = computed(() => {
    const silence = now.value - answeredAt.value
    return state.value && error.value && silence > PATIENCE_MS ? Math.round(silence / 1_000) : null
  })

  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  const visibility = useDocumentVisibility()

  async function ask(): Promise<void> {
    clearTimeout(timer)
    try {
      take(await source.state())
      error.value = null
    } catch (failed) {
      if (!isAbort(failed)) error.value = failed
    }
    if (stopped || visibility.value === 'hidden') return
    clearTimeout(timer)
    timer = setTimeout(ask, error.value ? LATER_MS : EVERY_MS)
  }

  function take(next: ClusterFigures): void {
    answeredAt.value = now.value = Date.now()
    const before = state.value
    if (before && isSameLook(before, next)) return
    rates.value = before ? ratesBetween(before, next) : NO_RATES
    state.value = next
    const sums = addTraffic(next.nodes.map((node) => node.total))
    const { opened, messages_in, messages_out, bytes_in, bytes_out, api_calls } = rates.value.total ?? NOTHING
    const values = { connections: sums.connections, channels: sums.channels, opened, messages_in, messages_out, bytes_in, bytes_out, api_calls }
    samples.value = withSample(samples.value, { at: now.value, values })
    remembered.set(source.id, samples.value)
  }

  useIntervalFn(() => (now.value = Date.now()), EVERY_MS)
  watch(visibility, (seen) => seen === 'visible' && void ask())
  onScopeDispose(() => {
    stopped = true
    clearTimeout(timer)
  })
  void ask()

  return { state, rates, total, samples, error, lostFor, now, ask }
}

const NOTHING = { opened: null, messages_in: null, messages_out: null, bytes_in: null, bytes_out: null, api_calls: null }
