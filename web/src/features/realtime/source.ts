import { send } from '@/api/client'
import type { ChannelPage, ChannelSort, ClusterFigures, TailBatch } from './types'

export interface ChannelQuestion {
  app: string
  search: string
  sort: ChannelSort
  offset: number
  limit: number
}

export type TailState = 'connecting' | 'live' | 'reconnecting' | 'refused'

export interface TailListener {
  batch: (batch: TailBatch) => void
  state: (state: TailState) => void
}

/** Where the console's answers come from. All but `tail` reject with `ApiError`. */
export interface Source {
  /** Different for different servers: what is remembered stands under it. */
  id: string
  state: () => Promise<ClusterFigures>
  channels: (question: ChannelQuestion) => Promise<ChannelPage>
  /** Returns what ends it. A connection that is lost is made again; what passed meanwhile is not seen. */
  tail: (app: string, channel: string, listener: TailListener) => () => void
}

/** Kanal's routes for operators and the ones for holders of the console token answer alike, below different addresses. */
export function httpSource(base: string): Source {
  const address = (name: string, query: Record<string, string | number> = {}) => {
    const url = new URL(`${base}/${name}`, location.origin)
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value))
    return url
  }
  const get = async (url: URL) => (await send(new Request(url, { credentials: 'same-origin' }))).json()
  return {
    id: base,
    state: () => get(address('state')),
    channels: (question) => get(address('channels', { ...question })),
    tail: (app, channel, listener) => follow(address('tail', { app, channel }), listener),
  }
}

function follow(url: URL, listener: TailListener): () => void {
  const stream = new EventSource(url)
  listener.state('connecting')
  stream.onopen = () => listener.state('live')
  stream.onmessage = (message) => listener.batch(JSON.parse(message.data) as TailBatch)
  // The browser asks again by itself unless the answer was an error.
  stream.onerror = () => listener.state(stream.readyState === EventSource.CLOSED ? 'refused' : 'reconnecting')
  return () => stream.close()
}
