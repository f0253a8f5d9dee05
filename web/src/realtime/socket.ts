/** Where the socket is, as seen from this page. */
import type { RealtimeConfig } from '@/api/types'

export interface SocketAddress {
  wsHost: string
  wsPort: number
  wssPort: number
  wsPath: string
  forceTLS: boolean
}

type Page = Pick<Location, 'protocol' | 'hostname' | 'port'>

/** pusher-js adds `/app/{key}` itself; the configured path is what the server calls `/app`. */
export function socketAddress(config: RealtimeConfig, page: Page = location): SocketAddress {
  const tls = page.protocol === 'https:'
  const own = Number(page.port) || (tls ? 443 : 80)
  const port = config.port ?? (config.host ? (tls ? 443 : 80) : own)
  return {
    wsHost: config.host ?? page.hostname,
    wsPort: port,
    wssPort: port,
    wsPath: (config.path ?? '').replace(/\/?app\/?$/, ''),
    forceTLS: tls,
  }
}
