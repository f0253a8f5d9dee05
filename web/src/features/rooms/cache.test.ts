import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, shallowRef } from 'vue'
import { openDatabase } from '@/offline'
import { cacheWriter, keepCache, loadCache } from './cache'
import { apply } from './reducer'
import { emptyState, type RoomsState } from './state'
import { SimulatedServer } from './testing/server'

function opened() {
  const server = new SimulatedServer('me', ['me', 'ann'])
  const room = server.createRoom('ann', ['me'])
  const listed = apply(emptyState('me'), { type: 'rooms', rooms: server.myRooms(), asked: {} })
  const state = apply(listed, { type: 'messages', room_id: room, anchor: {}, page: server.messages(room, {}) })
  const hear = (before: RoomsState) => apply(before, { type: 'event', event: server.log.at(-1)! })
  return { server, room, state, hear }
}

describe('what is on disk', () => {
  it('is what was on the page, and is written when it has changed', async () => {
    const { server, room, state, hear } = opened()
    const database = (await openDatabase('me', 'w'))!
    const transactions = vi.spyOn(database, 'transaction')
    const write = cacheWriter(database)
    await write(state, 7)
    await write({ ...state, typing: { [room]: [] } }, 7)
    expect(transactions).toHaveBeenCalledTimes(1)
    server.send(room, 'ann', 'hello')
    const later = hear(state)
    await write(later, 8)
    await write(later, 8)
    expect(transactions).toHaveBeenCalledTimes(2)
    const { rooms, memberships, left, stays, timelines } = later
    expect(await loadCache(database)).toMatchObject({ cursor: 8, state: { rooms, memberships, left, stays, timelines } })
    database.close()
  })
})

describe('writing', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function kept() {
    const { server, room, state, hear } = opened()
    const page = shallowRef(state)
    const write = vi.fn(() => Promise.resolve())
    const stop = keepCache(write, () => page.value, () => 1)
    const change = async () => {
      server.send(room, 'ann', 'hello')
      page.value = hear(page.value)
      await nextTick()
    }
    return { page, write, change, stop }
  }

  it('waits until it is quiet, but not for ever', async () => {
    const { write, change, stop } = kept()
    await change()
    await vi.advanceTimersByTimeAsync(2_000)
    await change()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(write).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(write).toHaveBeenCalledTimes(1)
    for (let second = 0; second < 20; second++) {
      await change()
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(write).toHaveBeenCalledTimes(2)
    stop()
  })

  it('is not asked for by what the disk does not keep', async () => {
    const { page, write, stop } = kept()
    page.value = apply(page.value, { type: 'typing', room_id: 'r', user_id: 'ann', thread: null, typing: true, until: 1 })
    await nextTick()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(write).not.toHaveBeenCalled()
    stop()
  })

  it('is done at once when the page goes, and never after it was closed', async () => {
    const { page, write, change, stop } = kept()
    await change()
    window.dispatchEvent(new Event('pagehide'))
    expect(write).toHaveBeenLastCalledWith(page.value, 1)
    await change()
    stop()
    await vi.advanceTimersByTimeAsync(60_000)
    window.dispatchEvent(new Event('pagehide'))
    expect(write).toHaveBeenCalledTimes(1)
  })
})
