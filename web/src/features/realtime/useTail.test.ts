import { effectScope, nextTick, ref } from 'vue'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Source, TailListener } from './source'
import { compact, copyText, KEPT, pretty, useTail } from './useTail'
import type { TailedEvent } from './types'

let listener: TailListener
const stopped = vi.fn()
const source = {
  id: 'test',
  tail: (_app: string, _channel: string, given: TailListener) => {
    listener = given
    return stopped
  },
} as unknown as Source

const scope = effectScope()
afterEach(() => stopped.mockClear())

function start() {
  const tail = scope.run(() => useTail(source, ref('1'), ref('news')))!
  listener.batch({ events: [], seen: 0, dropped: 0 })
  return tail
}

function event(data: string, more: Partial<TailedEvent> = {}): TailedEvent {
  return { at: 0, event: 'said', data, size: data.length, cut: false, user_id: null, ...more }
}

describe('a tail', () => {
  it('holds events back while paused and shows them, in order, when it goes on', async () => {
    const tail = start()
    listener.batch({ events: [event('a')], seen: 1, dropped: 0 })
    tail.paused.value = true
    await nextTick()
    listener.batch({ events: [event('b'), event('c')], seen: 3, dropped: 0 })
    expect(tail.shown.value.map((line) => line.data)).toEqual(['a'])
    expect(tail.gathered.value).toHaveLength(2)
    tail.paused.value = false
    await nextTick()
    expect(tail.shown.value.map((line) => line.data)).toEqual(['a', 'b', 'c'])
    expect(tail.gathered.value).toEqual([])
  })

  it('keeps so many and no more, paused or not', async () => {
    const tail = start()
    const many = Array.from({ length: KEPT + 10 }, (_, index) => event(String(index)))
    listener.batch({ events: many, seen: many.length, dropped: 0 })
    expect(tail.lines.value).toHaveLength(KEPT)
    expect(tail.lines.value[0]!.data).toBe('10')
    tail.paused.value = true
    await nextTick()
    listener.batch({ events: many, seen: 2 * many.length, dropped: 0 })
    expect(tail.gathered.value).toHaveLength(KEPT)
  })

  it('goes on counting when the connection was lost and begins at zero again', () => {
    const tail = start()
    listener.batch({ events: [event('a')], seen: 9, dropped: 8 })
    listener.batch({ events: [], seen: 0, dropped: 0 })
    listener.batch({ events: [event('b')], seen: 2, dropped: 1 })
    expect(tail.counts.value).toEqual({ seen: 11, dropped: 9 })
  })

  it('is filtered by event, data and exact user', () => {
    const tail = start()
    listener.batch({ events: [event('{"city":"Bandung"}'), event('x', { event: 'order.paid' }), event('y', { user_id: 'u1' })], seen: 3, dropped: 0 })
    const found = (text: string) => {
      tail.filter.value = text
      return tail.shown.value.map((line) => line.data)
    }
    expect(found('bandung')).toEqual(['{"city":"Bandung"}'])
    expect(found('ORDER')).toEqual(['x'])
    expect(found('u1')).toEqual(['y'])
    expect(found('nothing')).toEqual([])
  })
})

describe('data', () => {
  it('is shown indented in full and with its own characters on one line', () => {
    expect(pretty(event('{"a":[1]}'))).toBe('{\n  "a": [\n    1\n  ]\n}')
    expect(compact(event(String.raw`{"a": "\u65e5"}`))).toBe('{"a":"日"}')
    expect(pretty(event('plain'))).toBe('plain')
  })

  it('that was cut is left as it is', () => {
    expect(pretty(event('{"a":1}', { cut: true }))).toBe('{"a":1}')
    expect(JSON.parse(copyText(event('{"a', { cut: true }), 'news')).data).toBe('{"a')
  })

  it('is copied as one line of JSON', () => {
    expect(JSON.parse(copyText(event('{"a":1}', { user_id: 'u' }), 'news'))).toEqual({ at: '1970-01-01T00:00:00.000Z', channel: 'news', event: 'said', data: { a: 1 }, user_id: 'u' })
  })
})

it('ends with the component that follows', () => {
  const own = effectScope()
  own.run(() => useTail(source, ref('1'), ref('news')))
  own.stop()
  expect(stopped).toHaveBeenCalledOnce()
})
