import { expect, it } from 'vitest'
import { backoff } from './backoff'
import { socketAddress } from './socket'

const config = { key: 'k', path: '/app', auth_endpoint: '/broadcasting/auth' }

it('the socket is where the page is', () => {
  expect(socketAddress(config, { protocol: 'http:', hostname: '10.0.0.5', port: '8000' })).toEqual({
    wsHost: '10.0.0.5', wsPort: 8000, wssPort: 8000, wsPath: '', forceTLS: false,
  })
  expect(socketAddress(config, { protocol: 'https:', hostname: 'chat.example', port: '' })).toMatchObject({ wssPort: 443, forceTLS: true })
})

it('or where the server says', () => {
  const elsewhere = { ...config, host: 'ws.example', path: '/live/app' }
  expect(socketAddress(elsewhere, { protocol: 'https:', hostname: 'chat.example', port: '8443' })).toMatchObject({
    wsHost: 'ws.example', wssPort: 443, wsPath: '/live',
  })
})

it('pauses grow to a limit and are never all the same', () => {
  expect(backoff(0, { random: () => 0 })).toBe(300)
  expect(backoff(0, { random: () => 1 })).toBe(600)
  expect(backoff(3, { random: () => 1 })).toBe(4_800)
  expect(backoff(60, { random: () => 1 })).toBe(20_000)
})
