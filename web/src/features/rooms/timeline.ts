/**
 * What is known of one row of messages (a room's timeline or a thread).
 *
 * `messages` holds every message that was ever seen, sorted by sequence. `spans` says where that knowledge is
 * complete: inside a span nothing is missing, between two spans there may be a gap. A span that ends at infinity is
 * live: whatever is sent next belongs to it. Messages outside every span are kept (an event may arrive before the page it
 * belongs to) but not shown.
 */
import type { Message, MessagePage, PageAnchor } from './types'

export interface Span {
  /** first sequence that is covered */
  from: number
  /** last sequence that is covered; Infinity at the live edge */
  to: number
}

export interface Timeline {
  readonly messages: readonly Message[]
  readonly spans: readonly Span[]
}

export const EMPTY_TIMELINE: Timeline = Object.freeze({ messages: [], spans: [] })

/** Index of the first message whose sequence is not below `sequence`. */
export function lowerBound(messages: readonly Message[], sequence: number): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (messages[middle]!.sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

export function messageAt(timeline: Timeline, sequence: number): Message | undefined {
  const found = timeline.messages[lowerBound(timeline.messages, sequence)]
  return found?.sequence === sequence ? found : undefined
}

/** The newer of two states of the same message; equal versions keep the known object, so nothing re-renders. */
export function newer(known: Message, incoming: Message): Message {
  return incoming.version > known.version ? incoming : known
}

export function upsert(timeline: Timeline, message: Message): Timeline {
  const { messages, spans } = timeline
  const at = lowerBound(messages, message.sequence)
  const known = messages[at]
  if (known?.sequence === message.sequence) {
    const winner = newer(known, message)
    if (winner === known) return timeline
    const copy = messages.slice()
    copy[at] = winner
    return { messages: copy, spans }
  }
  const copy = messages.slice()
  copy.splice(at, 0, message)
  return { messages: copy, spans }
}

/** Merges two sorted lists; of a message that is in both the newer version stays. */
function merge(known: readonly Message[], incoming: readonly Message[]): readonly Message[] {
  if (incoming.length === 0) return known
  const sorted = [...incoming].sort((a, b) => a.sequence - b.sequence)
  const result: Message[] = []
  let i = 0
  let j = 0
  while (i < known.length || j < sorted.length) {
    const left = known[i]
    const right = sorted[j]
    if (!right || (left && left.sequence < right.sequence)) {
      result.push(left!)
      i++
    } else if (!left || right.sequence < left.sequence) {
      if (result.at(-1)?.sequence === right.sequence) result[result.length - 1] = newer(result.at(-1)!, right)
      else result.push(right)
      j++
    } else {
      result.push(newer(left, right))
      i++
      j++
    }
  }
  return result
}

export function addSpan(spans: readonly Span[], added: Span): readonly Span[] {
  if (added.to < added.from) return spans
  const result: Span[] = []
  let current = { ...added }
  for (const span of spans) {
    // Sequences are whole numbers: [1,4] and [5,9] leave no room for anything in between.
    if (span.to + 1 < current.from || current.to + 1 < span.from) result.push(span)
    else current = { from: Math.min(span.from, current.from), to: Math.max(span.to, current.to) }
  }
  result.push(current)
  return result.sort((a, b) => a.from - b.from)
}

/** The range of sequences that one answer of the server speaks for completely. */
export function spanOfPage(page: MessagePage, anchor: PageAnchor): Span {
  const first = page.items[0]?.sequence
  const last = page.items.at(-1)?.sequence
  let from = first ?? 0
  let to = last ?? 0
  if (anchor.before !== undefined) to = anchor.before - 1
  if (anchor.after !== undefined) from = anchor.after + 1
  if (first === undefined) from = anchor.before ?? anchor.around ?? from
  if (!page.has_before && anchor.after === undefined) from = 0
  if (!page.has_after && anchor.before === undefined) to = Infinity
  if (page.has_after && last === undefined) to = from - 1
  return { from, to }
}

export function applyPage(timeline: Timeline, page: MessagePage, anchor: PageAnchor): Timeline {
  return {
    messages: merge(timeline.messages, page.items),
    spans: addSpan(timeline.spans, spanOfPage(page, anchor)),
  }
}

export function liveSpan(timeline: Timeline): Span | undefined {
  const last = timeline.spans.at(-1)
  return last?.to === Infinity ? last : undefined
}

export function spanAround(timeline: Timeline, sequence: number): Span | undefined {
  return timeline.spans.find((span) => span.from <= sequence && sequence <= span.to)
}

/** The messages inside one span, in order. */
export function slice(timeline: Timeline, span: Span): readonly Message[] {
  const start = lowerBound(timeline.messages, span.from)
  const end = span.to === Infinity ? timeline.messages.length : lowerBound(timeline.messages, span.to + 1)
  if (start === 0 && end === timeline.messages.length) return timeline.messages
  return timeline.messages.slice(start, end)
}
