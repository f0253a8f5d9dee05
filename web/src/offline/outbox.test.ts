// F-UI-03: offline sends queue and go out once, in order per room
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Outbox, type Job, type JobStore, type OutboxOptions, type Verdict } from './outbox'

class Temporary extends Error {}

class MemoryStore implements JobStore<string> {
  readonly jobs = new Map<string, Job<string>>()
  all = async () => structuredClone([...this.jobs.values()])
  put = async (job: Job<string>) => void this.jobs.set(job.id, structuredClone(job))
  remove = async (id: string) => void this.jobs.delete(id)
}

const judge = (error: unknown): Verdict =>
  error instanceof Temporary ? { retry: true } : { retry: false, code: 'refused', message: 'no' }

function make(perform: (payload: string) => Promise<unknown>, more: Partial<OutboxOptions<string>> = {}) {
  const store = (more.store as MemoryStore | undefined) ?? new MemoryStore()
  const done: string[] = []
  const refused: string[] = []
  const outbox = new Outbox<string>({
    store,
    perform: (job) => perform(job.payload),
    judge,
    onDone: (job) => done.push(job.payload),
    onRefused: (job) => (refused.push(job.payload), true),
    lead: (hold) => void hold(),
    random: () => 0,
    ...more,
  })
  return { outbox, store, done, refused }
}

const flush = () => vi.advanceTimersByTimeAsync(0)
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the outbox', () => {
  it('sends one after the other in the order of writing', async () => {
    const log: string[] = []
    const { outbox } = make(async (payload) => {
      log.push(`+${payload}`)
      await new Promise((resolve) => setTimeout(resolve, payload === 'a' ? 50 : 5))
      log.push(`-${payload}`)
    })
    await outbox.start()
    for (const id of ['a', 'b', 'c']) await outbox.add({ id, lane: 'room', payload: id })
    await vi.advanceTimersByTimeAsync(200)
    expect(log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c'])
  })

  it('keeps what is offline until it goes out, with everything behind it', async () => {
    let online = false
    const { outbox, done, store } = make(async () => {
      if (!online) throw new Temporary()
    })
    await outbox.start()
    await outbox.add({ id: 'a', lane: 'room', payload: 'a' })
    await outbox.add({ id: 'b', lane: 'room', payload: 'b' })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(done).toEqual([])
    expect(store.jobs.size).toBe(2)
    online = true
    outbox.kick()
    await flush()
    expect(done).toEqual(['a', 'b'])
    expect(store.jobs.size).toBe(0)
  })

  it('survives the page: the next one sends what was left', async () => {
    const store = new MemoryStore()
    const first = make(async () => Promise.reject(new Temporary()), { store })
    await first.outbox.start()
    await first.outbox.add({ id: 'a', lane: 'room', payload: 'a' })
    await flush()
    first.outbox.stop()
    const second = make(async () => undefined, { store })
    expect((await second.outbox.start()).map((job) => job.payload)).toEqual(['a'])
    await flush()
    expect(second.done).toEqual(['a'])
  })

  it('a refused message is set aside and holds up nobody; by hand it is tried again', async () => {
    let allowed = false
    const { outbox, done, refused } = make(async (payload) => {
      if (payload === 'bad' && !allowed) throw new Error('422')
    })
    await outbox.start()
    await outbox.add({ id: '1', lane: 'room', payload: 'bad' })
    await outbox.add({ id: '2', lane: 'room', payload: 'good' })
    await flush()
    expect(done).toEqual(['good'])
    expect(refused).toEqual(['bad'])
    expect(outbox.get('1')?.failure?.code).toBe('refused')
    allowed = true
    await outbox.retry('1')
    await flush()
    expect(done).toEqual(['good', 'bad'])
  })

  it('can be taken back until it is due', async () => {
    const { outbox, done } = make(async () => undefined)
    await outbox.start()
    await outbox.add({ id: 'a', lane: 'm', payload: 'delete', notBefore: Date.now() + 7_000 })
    await vi.advanceTimersByTimeAsync(6_000)
    expect(await outbox.cancel('a')).toBe(true)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(done).toEqual([])
    await outbox.add({ id: 'b', lane: 'm', payload: 'delete', notBefore: Date.now() + 7_000 })
    await vi.advanceTimersByTimeAsync(7_001)
    expect(done).toEqual(['delete'])
  })

  it('waits as long as the server asks', async () => {
    const at: number[] = []
    const { outbox } = make(
      async () => {
        at.push(Date.now())
        if (at.length === 1) throw new Temporary()
      },
      { judge: () => ({ retry: true, after: 9_000 }) },
    )
    await outbox.start()
    await outbox.add({ id: 'a', lane: 'room', payload: 'a' })
    await vi.advanceTimersByTimeAsync(20_000)
    expect(at[1]! - at[0]!).toBe(9_000)
  })

  it('only one tab sends; the others hand over and hear the result', async () => {
    const store = new MemoryStore()
    type Wire = { onmessage: ((event: MessageEvent) => void) | null; postMessage: (data: unknown) => void; close: () => void }
    const ends: Wire[] = []
    const end = (): Wire => {
      const mine: Wire = {
        onmessage: null,
        close: () => undefined,
        postMessage: (data) => ends.filter((one) => one !== mine).forEach((one) => one.onmessage?.({ data } as MessageEvent)),
      }
      ends.push(mine)
      return mine
    }
    const sent: string[] = []
    const perform = async (payload: string) => void sent.push(payload)
    const leader = make(perform, { store, channel: end() })
    const other = make(perform, { store, channel: end(), lead: () => undefined })
    await leader.outbox.start()
    await other.outbox.start()
    await other.outbox.add({ id: 'a', lane: 'room', payload: 'a' })
    await flush()
    expect(sent).toEqual(['a'])
    expect(other.done).toEqual(['a'])
    expect(leader.done).toEqual(['a'])
  })

  it('whatever the network does, each is delivered once to a server that knows ids, and rooms keep their order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ room: fc.nat(2), fails: fc.nat(3), lostAnswer: fc.boolean() }), { maxLength: 14 }),
        async (messages) => {
          const delivered: string[] = []
          const tries = new Map<string, number>()
          const { outbox, done } = make(async (payload) => {
            const [index] = payload.split('@').map(Number)
            const { fails, lostAnswer } = messages[index!]!
            const attempt = (tries.get(payload) ?? 0) + 1
            tries.set(payload, attempt)
            if (attempt <= fails) {
              if (lostAnswer && !delivered.includes(payload)) delivered.push(payload)
              throw new Temporary()
            }
            if (!delivered.includes(payload)) delivered.push(payload)
          })
          await outbox.start()
          for (const [i, { room }] of messages.entries()) {
            await outbox.add({ id: String(i), lane: `room${room}`, payload: `${i}@${room}` })
          }
          await vi.advanceTimersByTimeAsync(600_000)
          expect(done.length).toBe(messages.length)
          for (const room of [0, 1, 2]) {
            const wanted = messages.flatMap((one, i) => (one.room === room ? [`${i}@${room}`] : []))
            expect(delivered.filter((one) => one.endsWith(`@${room}`))).toEqual(wanted)
          }
          outbox.stop()
        },
      ),
      { numRuns: 60 },
    )
  })
})
