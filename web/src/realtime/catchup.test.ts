// F-UI-03: after any gap the app catches up by cursor
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { CatchUp, type CatchUpOptions, type EventPage, type StreamEvent } from './catchup'

class Expired extends Error {}
class Flaky extends Error {}

const event = (sequence: number): StreamEvent => ({ name: 'e', sequence, data: {} })

function log(length: number, pageSize = 10) {
  const events = Array.from({ length }, (_, i) => event(i + 1))
  return async (after: number): Promise<EventPage> => {
    const page = events.filter((one) => one.sequence > after).slice(0, pageSize)
    const cursor = page.at(-1)?.sequence ?? after
    return { events: page, cursor, more: cursor < length }
  }
}

function make(options: Partial<CatchUpOptions>, cursor = 0) {
  const applied: number[] = []
  const catchUp = new CatchUp(cursor, {
    fetch: log(0),
    apply: (events) => applied.push(...events.map((one) => one.sequence)),
    resync: async () => 0,
    isExpired: (error) => error instanceof Expired,
    isTemporary: (error) => error instanceof Flaky,
    random: () => 0,
    ...options,
  })
  return { catchUp, applied }
}

const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => i + from)

describe('catching up', () => {
  it('reads page after page until nothing more comes', async () => {
    const { catchUp, applied } = make({ fetch: log(35) }, 3)
    await catchUp.run()
    expect(applied).toEqual(upTo(35, 4))
    expect(catchUp.cursor).toBe(35)
  })

  it('applies what came live in the meantime after it', async () => {
    const fetch = log(12, 5)
    const { catchUp, applied } = make({
      fetch: async (after) => {
        catchUp.live(event(100 + after))
        return fetch(after)
      },
    })
    await catchUp.run()
    expect(applied).toEqual([...upTo(12), 100, 105, 110])
  })

  it('a live event never moves the cursor', () => {
    const { catchUp, applied } = make({})
    catchUp.live(event(99))
    expect(applied).toEqual([99])
    expect(catchUp.cursor).toBe(0)
  })

  it('reads everything anew when the log no longer reaches back', async () => {
    const resync = vi.fn(async () => 30)
    const read = log(33)
    const { catchUp, applied } = make({ resync, fetch: async (after) => (after < 20 ? Promise.reject(new Expired()) : read(after)) })
    await catchUp.run()
    expect(resync).toHaveBeenCalledTimes(1)
    expect(applied).toEqual([31, 32, 33])
  })

  it('reads everything anew when there is too much to replay', async () => {
    const resync = vi.fn(async () => 995)
    const { catchUp, applied } = make({ resync, fetch: log(1000, 10) })
    await catchUp.run()
    expect(resync).toHaveBeenCalledTimes(1)
    expect(applied.slice(-5)).toEqual([996, 997, 998, 999, 1000])
    expect(catchUp.cursor).toBe(1000)
  })

  it('tries again after a temporary failure, and loses no live event when it gives up', async () => {
    vi.useFakeTimers()
    let failures = 2
    const read = log(5)
    const first = make({ fetch: async (after) => (failures-- > 0 ? Promise.reject(new Flaky()) : read(after)) })
    const run = first.catchUp.run()
    await vi.runAllTimersAsync()
    await run
    expect(first.applied).toEqual(upTo(5))

    const second = make({ fetch: async () => Promise.reject(new Error('forbidden')) })
    const failed = second.catchUp.run()
    second.catchUp.live(event(7))
    await expect(failed).rejects.toThrow('forbidden')
    expect(second.applied).toEqual([7])
    vi.useRealTimers()
  })

  it('asked for while running, it looks once more', async () => {
    const fetch = vi.fn(log(4))
    const { catchUp } = make({ fetch })
    await Promise.all([catchUp.run(), catchUp.run(), catchUp.run()])
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('whatever is lost live, reading the log brings it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.nat(60), fc.array(fc.nat(100)), async (length, start, heard) => {
        const { catchUp, applied } = make({ fetch: log(length, 7) }, Math.min(start, length))
        for (const sequence of heard) catchUp.live(event(sequence))
        await catchUp.run()
        for (const sequence of upTo(length, Math.min(start, length) + 1)) expect(applied).toContain(sequence)
      }),
    )
  })
})
