import { describe, expect, it } from 'vitest'
import type { RouteLocationNormalized } from 'vue-router'
import { returnAddress } from './router'

const back = (next: unknown) => returnAddress({ query: { next } } as unknown as RouteLocationNormalized)

describe('the return address', () => {
  it('is a path of ours', () => {
    expect(back('/w/acme/rooms/1?tab=x')).toBe('/w/acme/rooms/1?tab=x')
  })
  it('is never another site', () => {
    for (const next of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)', undefined]) expect(back(next)).toBeNull()
  })
})
