/**
 * Everything live about one workspace: its socket, who is here, and the event log without gaps. Features say which
 * channels they want and take the events; the stream knows none of them.
 */
import Pusher from 'pusher-js'
import { api, call, configureClient, send } from '@/api/client'
import { isApiError } from '@/api/error'
import type { RealtimeConfig } from '@/api/types'
import { live } from '@/app/connection'
import { onlineUsers } from '@/app/presence'
import { batchingAuthorizer, type Grant } from './authorizer'
import { CatchUp, type StreamEvent } from './catchup'
import { Connection, type Frame, type SocketState } from './connection'
import { socketAddress } from './socket'
import { watchWake } from './wake'

export interface Consumer {
  /** May come twice, late or in another order. */
  apply: (events: StreamEvent[]) => void
  /** Reads everything anew and returns the cursor it was read at. */
  resync: () => Promise<number>
  onWhisper?: (frame: Frame) => void
  /** This channel is closed to me now. */
  onRevoked?: (channel: string) => void
  onCaughtUp?: (cursor: number) => void
}

export interface StreamOptions {
  workspace: string
  user: string
  realtime: RealtimeConfig
  cursor: number
  consumer: Consumer
  /** The socket was closed for good: ask what is wrong. Resolves to whether to try again. */
  onRefused: (code: number) => Promise<boolean>
}

/** A live event may be lost without the socket closing; the log is read now and then to find out. */
const CHECK_MS = 90_000
const PAGE = 500
const PATIENCE_MS = 30_000

export class WorkspaceStream {
  private readonly connection: Connection
  private readonly catchUp: CatchUp
  private readonly stopWake: () => void
  private readonly timer: ReturnType<typeof setInterval>
  private readonly presence: string
  private ever = false
  private sinceCheck = 0

  constructor(private readonly options: StreamOptions) {
    const { workspace, consumer } = options
    this.presence = `presence-workspace.${workspace}`
    this.catchUp = new CatchUp(options.cursor, {
      fetch: (after) => this.fetchEvents(after),
      apply: consumer.apply,
      resync: consumer.resync,
      isExpired: (error) => isApiError(error) && error.kind === 'gone',
      isTemporary: (error) => isApiError(error) && error.retryable && error.kind !== 'offline',
      onCaughtUp: consumer.onCaughtUp,
    })
    live.value = 'connecting'
    this.connection = new Connection({
      create: () => this.newPusher(),
      onState: this.stateChanged,
      onFrame: this.received,
      onSubscribed: () => {
        live.value = 'live' // not before: until then others' words pass by
        void this.refresh()
      },
      onRevoked: (channel) => consumer.onRevoked?.(channel),
      onRefused: options.onRefused,
    })
    this.connection.subscribe(this.presence)
    this.connection.subscribe(`private-user.${workspace}.${options.user}`)
    configureClient({ socketId: () => this.connection.socketId })
    this.stopWake = watchWake({
      onWake: () => {
        this.connection.hurry()
        void this.refresh()
      },
      onSlept: () => this.connection.restart(),
    })
    this.timer = setInterval(() => this.check(), CHECK_MS * (0.75 + Math.random() / 2))
  }

  /** Everything up to here has been applied. */
  get cursor(): number {
    return this.catchUp.cursor
  }

  subscribe(channel: string): void {
    this.connection.subscribe(channel)
  }

  unsubscribe(channel: string): void {
    this.connection.unsubscribe(channel)
  }

  whisper(channel: string, event: string, data: unknown): void {
    this.connection.whisper(channel, event, data)
  }

  /** Reads what the log has beyond the cursor. */
  async refresh(): Promise<void> {
    try {
      await this.catchUp.run()
    } catch (error) {
      // Whatever it is, the next connection, wake or check asks again; a signed-out person is led away by the client.
      if (!isApiError(error)) throw error
    }
  }

  stop(): void {
    clearInterval(this.timer)
    this.stopWake()
    this.catchUp.stop()
    this.connection.stop()
    configureClient({ socketId: () => null })
    onlineUsers.clear()
    live.value = 'idle'
  }

  private newPusher(): Pusher {
    const { realtime } = this.options
    const authorize = batchingAuthorizer((socketId, names) => this.askForChannels(socketId, names))
    return new Pusher(realtime.key, {
      ...socketAddress(realtime),
      cluster: '',
      enabledTransports: ['ws', 'wss'],
      enableStats: false,
      unavailableTimeout: 20_000,
      channelAuthorization: {
        customHandler: authorize,
        endpoint: realtime.auth_endpoint,
        transport: 'ajax',
      },
    })
  }

  private async askForChannels(socketId: string, names: string[]): Promise<Record<string, Grant>> {
    const response = await send(
      new Request(new URL(this.options.realtime.auth_endpoint, location.origin), {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ socket_id: socketId, channel_names: names }),
      }),
    )
    return ((await response.json()) as { channels: Record<string, Grant> }).channels
  }

  private async fetchEvents(after: number) {
    const params = { path: { ws: this.options.workspace }, query: { after, limit: PAGE } }
    const page = await call(api.GET('/api/v1/workspaces/{ws}/events', { params, signal: AbortSignal.timeout(PATIENCE_MS) }))
    return { ...page, events: page.events.map(({ name, sequence, data }) => ({ name, sequence, data: data as Record<string, unknown> })) }
  }

  private readonly stateChanged = (state: SocketState): void => {
    if (state === 'connected') {
      this.ever = true
    } else if (state !== 'stopped') {
      onlineUsers.clear()
      live.value = this.ever ? 'reconnecting' : 'connecting'
    }
  }

  private readonly received = (frame: Frame): void => {
    if (frame.channel === this.presence && frame.event.startsWith('pusher_internal:')) return this.countPeople()
    if (frame.event.startsWith('client-')) return this.options.consumer.onWhisper?.(frame)
    if (frame.event.startsWith('pusher')) return
    this.sinceCheck++
    const data = (frame.data ?? {}) as Record<string, unknown>
    this.catchUp.live({ name: frame.event, sequence: Number(data.sequence) || 0, data })
  }

  /** pusher-js keeps the list; this copies the difference. */
  private countPeople(): void {
    const present = new Set(this.connection.present(this.presence))
    for (const id of onlineUsers) if (!present.has(id)) onlineUsers.delete(id)
    for (const id of present) onlineUsers.add(id)
  }

  private check(): void {
    if (document.visibilityState === 'hidden' || live.value !== 'live' || this.sinceCheck === 0) return
    this.sinceCheck = 0
    void this.refresh()
  }
}
