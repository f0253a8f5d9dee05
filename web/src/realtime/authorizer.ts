/** Channel authorisation: all requests of one tick go out as one. */
import type { ChannelAuthorizationCallback, ChannelAuthorizationRequestParams } from 'pusher-js/types/src/core/auth/options'

export interface Grant {
  status: number
  data?: { auth: string; channel_data?: string }
}

export type AskForChannels = (socketId: string, names: string[]) => Promise<Record<string, Grant>>

/** Names per request; a person in thousands of rooms asks several times. */
const AT_MOST = 100

export class Refused extends Error {
  constructor(
    readonly channel: string,
    readonly status: number,
  ) {
    super(`${channel}: ${status}`)
  }
}

interface Waiting {
  socketId: string
  name: string
  done: ChannelAuthorizationCallback
}

export function batchingAuthorizer(ask: AskForChannels) {
  let waiting: Waiting[] = []

  function flush(): void {
    const batch = waiting
    waiting = []
    for (const socketId of new Set(batch.map((one) => one.socketId))) {
      const ofSocket = batch.filter((one) => one.socketId === socketId)
      for (let i = 0; i < ofSocket.length; i += AT_MOST) void settle(socketId, ofSocket.slice(i, i + AT_MOST))
    }
  }

  async function settle(socketId: string, batch: Waiting[]): Promise<void> {
    try {
      const grants = await ask(socketId, [...new Set(batch.map((one) => one.name))])
      for (const { name, done } of batch) {
        const grant = grants[name]
        if (grant?.data && grant.status === 200) done(null, grant.data)
        else done(new Refused(name, grant?.status ?? 403), null)
      }
    } catch (error) {
      for (const { done } of batch) done(error instanceof Error ? error : new Error(String(error)), null)
    }
  }

  return ({ socketId, channelName }: ChannelAuthorizationRequestParams, done: ChannelAuthorizationCallback): void => {
    if (waiting.length === 0) setTimeout(flush)
    waiting.push({ socketId, name: channelName, done })
  }
}
