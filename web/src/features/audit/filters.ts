import type { LocationQuery } from 'vue-router'

/** What the log is narrowed to; it lives in the address, so that a link shows the same. */
export interface AuditFilters {
  q: string
  actor: string
  action: string
  /** Days in the viewer's zone, `2026-11-20`; both included. */
  from: string
  to: string
}

export const EMPTY: AuditFilters = { q: '', actor: '', action: '', from: '', to: '' }

export function filtersFrom(query: LocationQuery): AuditFilters {
  const read = (key: keyof AuditFilters) => (typeof query[key] === 'string' ? query[key] : '')
  return { q: read('q'), actor: read('actor'), action: read('action'), from: read('from'), to: read('to') }
}

/** Only what is set, for the address. */
export function toQuery(filters: AuditFilters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''))
}

/** For the server: days become the instants they begin and end at here. */
export function toRequest(filters: AuditFilters): Record<string, string> {
  const request = toQuery(filters)
  if (filters.from) request.from = new Date(`${filters.from}T00:00:00`).toISOString()
  if (filters.to) request.to = new Date(`${filters.to}T23:59:59.999`).toISOString()
  return request
}
