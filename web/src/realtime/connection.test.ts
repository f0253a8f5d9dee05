import type Pusher from 'pusher-js'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Connection, type SocketState } from './connection'

type Handler = (data: unknown) => void

class Emitter {
  handlers = new Map<string, Handler[]>()
  bind = (name: string, handler: Handler) => void this.handlers.set(name, [...(this.handlers.get(name) ?? []), handler])
  unbind = (name: string, handler: Handler) =>
    void this.handlers.set(name, (this.handlers.get(name) ?? []).filter((one) => one !== handler))
  unbind_all = () => this.handlers.clear()
  emit = (name: string, data: unknown) => this.handlers.get(name)?.forEach((handler) => handler(data))
}

/** As pusher-js behaves: it goes through these states on its own. */
class FakePusher {
  connection = Object.assign(new Emitter(), { socket_id: '7.7', state: 'connecting' })
  channels = new Map<string, Emitter & { trigger: ReturnType<typeof vi.fn> }>()
  connects = 0
  subscribe = (name: string) => {
    if (!this.channels.has(name)) this.channels.set(name, Object.assign(new Emitter(), { trigger: vi.fn() }))
    return this.channels.get(name)!
  }
  unsubscribe = (name: string) => void this.channels.delete(name)
  channel = (name: string) => this.channels.get(name)
  connect = () => {
    this.connects++
    this.become('connecting')
  }
  disconnect = () => this.become('disconnected')
  become(state: string): void {
    const previous = this.connection.state
    this.connection.state = state
    if (previous !== state) this.connection.emit('state_change', { previous, current: state })
  }
  open(): void {
    this.become('connected')
    for (const channel of this.channels.values()) channel.emit('pusher:subscription_succeeded', {})
  }
}

function setup(refused: (code: number) => Promise<boolean> = async () => true) {
  const pusher = new FakePusher()
  const states: SocketState[] = []
  const news = { subscribed: vi.fn(), revoked: vi.fn(), frame: vi.fn() }
  const connection = new Connection({
    create: () => pusher as unknown as Pusher,
    onState: (state) => states.push(state),
    onFrame: news.frame,
    onSubscribed: news.subscribed,
    onRevoked: news.revoked,
    onRefused: refused,
    random: () => 0.5,
  })
  return { pusher, states, news, connection }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the socket', () => {
  it('is ready when every wanted channel has been answered for', () => {
    const { pusher, news, connection } = setup()
    connection.subscribe('a')
    connection.subscribe('b')
    pusher.become('connected')
    pusher.channel('a')!.emit('pusher:subscription_succeeded', {})
    expect(news.subscribed).not.toHaveBeenCalled()
    pusher.channel('b')!.emit('pusher:subscription_error', { status: 403 })
    expect(news.subscribed).toHaveBeenCalledTimes(1)
    expect(news.revoked).toHaveBeenCalledWith('b', 403)
    expect(connection.socketId).toBe('7.7')
  })

  it('comes back after a pause that is not the same for everybody', async () => {
    const { pusher, states, connection } = setup()
    connection.subscribe('a')
    pusher.open()
    pusher.become('connecting') // the connection was lost; pusher-js tries at once
    await vi.advanceTimersByTimeAsync(0)
    expect(pusher.connection.state).toBe('disconnected')
    expect(connection.socketId).toBeNull()
    await vi.advanceTimersByTimeAsync(449)
    expect(pusher.connects).toBe(0)
    await vi.advanceTimersByTimeAsync(2)
    expect(pusher.connects).toBe(1)
    pusher.open()
    expect(states).toEqual(['connected', 'waiting', 'connecting', 'connected'])
  })

  it('gives up an attempt that takes too long, and waits longer each time', async () => {
    const { pusher } = setup()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(pusher.connects).toBeGreaterThan(2)
    expect(pusher.connects).toBeLessThan(8)
  })

  it('hurries when the network is back', async () => {
    const { pusher, connection } = setup()
    await vi.advanceTimersByTimeAsync(4_001)
    const before = pusher.connects
    connection.hurry()
    await vi.advanceTimersByTimeAsync(401)
    expect(pusher.connects).toBe(before + 1)
  })

  it('asks what is wrong when the server closes for good', async () => {
    const asked = vi.fn(async () => false)
    const { pusher } = setup(asked)
    pusher.open()
    pusher.connection.emit('error', { type: 'PusherError', data: { code: 4009 } })
    pusher.become('disconnected')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(asked).toHaveBeenCalledWith(4009)
    expect(pusher.connects).toBe(0)
  })

  it('whispers only where it is subscribed', () => {
    const { pusher, connection } = setup()
    connection.subscribe('a')
    connection.whisper('a', 'client-typing', {})
    expect(pusher.channel('a')!.trigger).not.toHaveBeenCalled()
    pusher.open()
    connection.whisper('a', 'client-typing', { typing: true })
    expect(pusher.channel('a')!.trigger).toHaveBeenCalledWith('client-typing', { typing: true })
  })

  it('passes on frames with the whisperer', () => {
    const { pusher, news } = setup()
    pusher.connection.emit('message', { channel: 'a', event: 'client-typing', data: {}, user_id: 'u' })
    expect(news.frame).toHaveBeenCalledWith({ channel: 'a', event: 'client-typing', data: {}, userId: 'u' })
  })
})
