import { describe, expect, it } from 'vitest'
import { EMPTY, filtersFrom, toQuery, toRequest } from './filters'

describe('filters of the audit log', () => {
  it('survive the address', () => {
    const filters = { ...EMPTY, q: 'room', from: '2026-11-01' }
    expect(filtersFrom(toQuery(filters))).toEqual(filters)
  })
  it('include both days, as the viewer counts them', () => {
    const { from, to } = toRequest({ ...EMPTY, from: '2026-11-01', to: '2026-11-01' })
    expect(Date.parse(to!) - Date.parse(from!)).toBe(86_400_000 - 1)
  })
})
