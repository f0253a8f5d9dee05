import { describe, expect, it } from 'vitest'
import { avatarColor, initials } from './avatar'

describe('initials', () => {
  it.each([
    ['Sari Wulandari', 'SW'],
    ['budi', 'B'],
    ['Maria von der Leyen', 'ML'],
    ['佐藤 健', '佐'],
    ['👩‍🚀 Nadia', '👩‍🚀'],
    ['  ', '?'],
    ['\u202e\u200b', '?'],
  ])('%s → %s', (name, expected) => expect(initials(name)).toBe(expected))
})

describe('the colour of an avatar', () => {
  it('spreads over all eight', () => {
    const ids = Array.from({ length: 80 }, (_, index) => `0192f0a1-7c00-7000-8000-${String(index).padStart(12, '0')}`)
    expect(new Set(ids.map(avatarColor)).size).toBe(8)
  })
})
