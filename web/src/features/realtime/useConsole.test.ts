import { effectScope, type EffectScope } from 'vue'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ApiError } from '@/api/error'
import { addTraffic } from './rates'
import type { Source } from './source'
import type { ClusterFigures } from './types'
import { inPlace } from './useChannels'
import { useConsole } from './useConsole'

let scope: EffectScope
let answers: (() => Promise<ClusterFigures>)[]

beforeEach(() => {
  vi.useFakeTimers()
  scope = effectScope()
  answers = []
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

function look(uptime: number, messages_out: number): ClusterFigures {
  const total = { ...addTraffic([]), messages_out, connections: 3 }
  const node = { node: 'a', version: '1', uptime, cpu: 0, memory: null, descriptors: null, engine: 'memory', broker_connected: true, draining: false, refused: 0, total, apps: {}, apps_left_out: 0 }
  return { at: 0, node: 'a', alone: false, silent: [], apps: [], nodes: [node] }
}

const fails = () => Promise.reject(new ApiError({ kind: 'network', code: 'client.network', message: '' }))

function start(name: string) {
  const source = { id: name, state: () => (answers.shift() ?? fails)() } as unknown as Source
  return scope.run(() => useConsole(source))!
}

it('asks every second and tells rates from the second answer on', async () => {
  answers = [async () => look(10, 100), async () => look(11, 130)]
  const { state, rates, samples } = start('rates')
  await vi.advanceTimersByTimeAsync(0)
  expect(state.value?.nodes).toHaveLength(1)
  expect(rates.value.total).toBeNull()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(rates.value.total?.messages_out).toBe(30)
  expect(samples.value.map((sample) => sample.values.messages_out)).toEqual([null, 30])
})

it('an answer that was given before changes nothing', async () => {
  answers = [async () => look(10, 100), async () => look(11, 130), async () => look(11, 130)]
  const { rates, samples } = start('same')
  await vi.advanceTimersByTimeAsync(2_500)
  expect(rates.value.total?.messages_out).toBe(30)
  expect(samples.value).toHaveLength(2)
})

it('keeps the last figures when the server is away, says since when, and goes on by itself', async () => {
  answers = [async () => look(10, 100), fails, fails, async () => look(20, 200)]
  const { state, lostFor, error } = start('away')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(lostFor.value).toBeNull() // one late answer is no news
  await vi.advanceTimersByTimeAsync(3_000)
  expect(lostFor.value).toBe(4)
  expect(state.value?.nodes[0]!.uptime).toBe(10)
  await vi.advanceTimersByTimeAsync(5_500)
  expect(lostFor.value).toBeNull()
  expect(error.value).toBeNull()
  expect(state.value?.nodes[0]!.uptime).toBe(20)
})

it('rows that are pointed at keep their places', () => {
  const row = (name: string, messages: number) => ({ name, messages, subscriptions: 1, rate: null, users: null })
  const shown = [row('a', 1), row('b', 1)].map((each) => ({ ...each, gone: false }))
  const next = inPlace(shown, [row('c', 9), row('b', 5)])
  expect(next.map(({ name, messages, gone }) => [name, messages, gone])).toEqual([['a', 1, true], ['b', 5, false]])
})
