/**
 * The socket of one workspace. pusher-js speaks the protocol; when to connect again is decided here, because it has no
 * jitter and waits long after a refused attempt.
 */
import type Pusher from 'pusher-js'
import { backoff } from './backoff'

/** One frame about a channel: a server event, a whisper, or `pusher:` news. */
export interface Frame {
  channel: string
  event: string
  data: unknown
  /** of whispers on presence channels, set by the server */
  userId?: string
}

export type SocketState = 'connecting' | 'connected' | 'waiting' | 'stopped'

export interface ConnectionOptions {
  create: () => Pusher
  onState: (state: SocketState) => void
  onFrame: (frame: Frame) => void
  /** Every wanted channel has been answered for, yes or no; again after each channel that is added later. */
  onSubscribed: () => void
  /** A channel was refused, or taken away while subscribed. */
  onRevoked: (channel: string, status: number) => void
  /** The server closed for good. Resolves to whether trying again makes sense. */
  onRefused: (code: number) => Promise<boolean>
  random?: () => number
}

/** The first attempt is short: after a restart of the server the next one should come soon. */
const ATTEMPT_MS = [4_000, 8_000, 12_000]
/** After a refusal that is not ours to mend. */
const REFUSED_MS = 30_000

export class Connection {
  private readonly pusher: Pusher
  private readonly wanted = new Set<string>()
  private readonly granted = new Set<string>()
  private readonly refusedChannels = new Set<string>()
  private state: SocketState = 'connecting'
  private attempt = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private lastCode = 0

  constructor(private readonly options: ConnectionOptions) {
    this.pusher = options.create()
    this.pusher.connection.bind('state_change', this.changed)
    this.pusher.connection.bind('message', this.received)
    this.pusher.connection.bind('error', this.failed)
    this.watchAttempt()
  }

  get socketId(): string | null {
    return this.state === 'connected' ? this.pusher.connection.socket_id : null
  }

  subscribe(channel: string): void {
    if (this.wanted.has(channel)) return
    this.wanted.add(channel)
    this.refusedChannels.delete(channel)
    const subscription = this.pusher.subscribe(channel)
    subscription.bind('pusher:subscription_succeeded', () => this.grant(channel))
    subscription.bind('pusher:subscription_error', (error: { status?: number }) => this.revoke(channel, error))
  }

  unsubscribe(channel: string): void {
    if (!this.wanted.delete(channel)) return
    this.granted.delete(channel)
    this.refusedChannels.delete(channel)
    this.pusher.channel(channel)?.unbind_all()
    this.pusher.unsubscribe(channel)
  }

  /** To the others on the channel; lost without a connection, as whispers are. */
  whisper(channel: string, event: string, data: unknown): void {
    if (this.granted.has(channel)) this.pusher.channel(channel)?.trigger(event, data)
  }

  /** Who is on a presence channel. */
  present(channel: string): string[] {
    const members = (this.pusher.channel(channel) as unknown as { members?: { members: Record<string, unknown> } } | undefined)
      ?.members
    return Object.keys(members?.members ?? {})
  }

  /** The network is back, or the machine woke up: don't wait for the timer. */
  hurry(): void {
    if (this.state !== 'waiting') return
    this.attempt = 0
    this.later(200 + 400 * (this.options.random ?? Math.random)())
  }

  /** The connection can't be trusted, e.g. after sleep. */
  restart(): void {
    if (this.state === 'stopped') return
    this.attempt = 0
    this.takeOver()
  }

  stop(): void {
    this.become('stopped')
    clearTimeout(this.timer)
    this.pusher.connection.unbind('state_change', this.changed)
    this.pusher.disconnect()
    for (const channel of this.wanted) this.pusher.channel(channel)?.unbind_all()
  }

  private readonly changed = ({ current }: { current: string }): void => {
    if (this.state === 'stopped') return
    if (current === 'connected') this.opened()
    // pusher-js lost the connection and began again on its own, without jitter.
    else if (current === 'connecting' && this.state === 'connected') queueMicrotask(() => this.takeOver())
    else if (current === 'disconnected' && this.state !== 'waiting') void this.refused()
    else if (current === 'failed') this.become('waiting')
  }

  private readonly received = (frame: { channel?: string; event: string; data: unknown; user_id?: string }): void => {
    if (!frame.channel) return
    this.options.onFrame({ channel: frame.channel, event: frame.event, data: frame.data, userId: frame.user_id })
  }

  private readonly failed = (error: { data?: { code?: number }; error?: { data?: { code?: number } } }): void => {
    this.lastCode = error.data?.code ?? error.error?.data?.code ?? 0
  }

  private opened(): void {
    clearTimeout(this.timer)
    this.attempt = 0
    this.lastCode = 0
    this.granted.clear()
    this.refusedChannels.clear()
    this.become('connected')
    if (this.wanted.size === 0) this.options.onSubscribed()
  }

  private grant(channel: string): void {
    this.granted.add(channel)
    this.settle()
  }

  private settle(): void {
    if (this.granted.size + this.refusedChannels.size >= this.wanted.size) this.options.onSubscribed()
  }

  private revoke(channel: string, error: { status?: number }): void {
    this.granted.delete(channel)
    this.refusedChannels.add(channel)
    // Without a clear no it was the question that failed; the channel is asked for again with the next connection.
    const status = error.status ?? 0
    if (status < 500) this.options.onRevoked(channel, status)
    this.settle()
  }

  private takeOver(): void {
    if (this.state === 'stopped') return
    this.become('waiting')
    this.pusher.disconnect()
    this.later(backoff(this.attempt++, { random: this.options.random }))
  }

  private later(delay: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.become('connecting')
      this.pusher.connect()
      this.watchAttempt()
    }, delay)
  }

  private watchAttempt(): void {
    clearTimeout(this.timer)
    const patience = ATTEMPT_MS[Math.min(this.attempt, ATTEMPT_MS.length - 1)]
    this.timer = setTimeout(() => this.takeOver(), patience)
  }

  private async refused(): Promise<void> {
    clearTimeout(this.timer)
    this.become('waiting')
    const again = await this.options.onRefused(this.lastCode)
    if (!again || this.stopped) return
    this.later(REFUSED_MS / 2 + (REFUSED_MS / 2) * (this.options.random ?? Math.random)())
  }

  private get stopped(): boolean {
    return this.state === 'stopped'
  }

  private become(state: SocketState): void {
    if (this.state === state) return
    this.state = state
    this.options.onState(state)
  }
}
