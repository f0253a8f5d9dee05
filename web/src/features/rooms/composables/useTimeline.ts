import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { useRooms } from '../store'
import { EMPTY_TIMELINE, liveSpan, slice, spanAround, type Span } from '../timeline'
import type { Id, Message, PageAnchor } from '../types'

const NOTHING: readonly Message[] = []

/**
 * The stretch of a room's messages that is on the page: the live end, or the surroundings of one message. It grows in both
 * directions; a gap is closed by loading until the stretches touch.
 */
export function useTimeline(roomId: Ref<Id>) {
  const rooms = useRooms()
  /** null is the live end. */
  const focus = ref<number | null>(null)
  const error = shallowRef<unknown>(null)
  const loadingFirst = ref(false)
  const loadingBefore = ref(false)
  const loadingAfter = ref(false)

  const timeline = computed(() => rooms.state.timelines[roomId.value] ?? EMPTY_TIMELINE)
  const span = computed<Span | undefined>(() =>
    focus.value === null ? liveSpan(timeline.value) : spanAround(timeline.value, focus.value),
  )
  const messages = computed(() => (span.value ? slice(timeline.value, span.value) : NOTHING))
  const loaded = computed(() => span.value !== undefined)
  const hasBefore = computed(() => (span.value?.from ?? 0) > 0)
  const hasAfter = computed(() => span.value !== undefined && span.value.to !== Infinity)

  async function load(anchor: PageAnchor, busy: Ref<boolean>): Promise<boolean> {
    const api = rooms.connected?.api
    if (!api || busy.value) return false
    const room = roomId.value
    const stay = () => rooms.state.stays[room] ?? null
    busy.value = true
    try {
      let asked: string | null
      do {
        asked = stay()
        const page = await api.messages(room, anchor)
        rooms.dispatch({ type: 'messages', room_id: room, page, anchor, stay: asked })
      } while (stay() !== null && stay() !== asked)
      if (room === roomId.value) error.value = null
      return true
    } catch (reason) {
      if (room === roomId.value) error.value = reason
      return false
    } finally {
      busy.value = false
    }
  }

  /** Shows the newest messages. */
  async function toEnd(): Promise<void> {
    if (!liveSpan(timeline.value)) await load({}, loadingFirst)
    if (liveSpan(timeline.value)) focus.value = null
  }

  /** Shows a message in its surroundings. */
  async function to(sequence: number): Promise<boolean> {
    if (!spanAround(timeline.value, sequence)) await load({ around: sequence }, loadingFirst)
    const found = spanAround(timeline.value, sequence)
    if (!found) return false
    focus.value = found.to === Infinity ? null : sequence
    return true
  }

  function older(): Promise<boolean> | undefined {
    const from = span.value?.from
    return from ? load({ before: from }, loadingBefore) : undefined
  }

  function newer(): Promise<boolean> | undefined {
    const to = span.value?.to
    return to !== undefined && to !== Infinity ? load({ after: to }, loadingAfter) : undefined
  }

  // A stretch that has grown to the live end is the live end.
  watch(span, (now) => {
    if (focus.value !== null && now?.to === Infinity) focus.value = null
  })

  /** The same stretch anew, when the log can't be caught up with. */
  const reload = async () => {
    const anchor = focus.value === null ? {} : { around: focus.value }
    const api = rooms.connected?.api
    if (!api || !loaded.value) return []
    const room = roomId.value
    const stay = rooms.state.stays[room] ?? null
    return [{ type: 'messages' as const, room_id: room, anchor, page: await api.messages(room, anchor), stay }]
  }
  rooms.reloads.add(reload)
  onScopeDispose(() => rooms.reloads.delete(reload))

  return { timeline, messages, loaded, hasBefore, hasAfter, focus, error, loadingFirst, loadingBefore, loadingAfter, toEnd, to, older, newer }
}

export type TimelineView = ReturnType<typeof useTimeline>
