import { describe, expect, it } from 'vitest'
import { formatBytes, formatRelative } from './format'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const ago = (ms: number) => formatRelative('en', NOW - ms, NOW)

describe('relative times', () => {
  it('are relative under a day and dates after it', () => {
    expect(ago(20_000)).toBe('now')
    expect(ago(5 * 60_000)).toBe('5 minutes ago')
    expect(ago(3 * 3_600_000)).toBe('3 hours ago')
    expect(ago(30 * 3_600_000)).toBe('Nov 19')
    expect(ago(400 * 86_400_000)).toMatch(/2025/)
  })

  it('speak the language of the page', () => {
    expect(formatRelative('ja', NOW - 5 * 60_000, NOW)).toBe('5 分前')
    expect(formatRelative('id', NOW - 5 * 60_000, NOW)).toBe('5 menit yang lalu')
  })
})

describe('sizes of files', () => {
  it('are in the largest fitting unit', () => {
    expect(formatBytes('en', 0)).toBe('0 byte')
    expect(formatBytes('en', 25 * 1_024 * 1_024)).toBe('25 MB')
  })
})
