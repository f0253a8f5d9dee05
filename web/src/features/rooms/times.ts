import { useNow } from '@vueuse/core'
import { formatDate } from '@/app/format'
import { currentLocale, t } from '@/app/i18n'

/** One clock for all labels that change with the day. */
export const minutely = useNow({ interval: 60_000 })

const DAY_MS = 86_400_000

function daysBetween(at: Date, now: Date): number {
  const a = Date.UTC(at.getFullYear(), at.getMonth(), at.getDate())
  const b = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate())
  return Math.round((b - a) / DAY_MS)
}

function capitalised(text: string, locale: string): string {
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1)
}

/** "Today", "Yesterday", the weekday of the last week, otherwise the date. */
export function dayName(locale: string, at: string, now: Date): string {
  const then = new Date(at)
  const days = daysBetween(then, now)
  if (days === 0 || days === 1) {
    return capitalised(new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-days, 'day'), locale)
  }
  if (days > 1 && days < 7) return formatDate(locale, then, { weekday: 'long' })
  const year = then.getFullYear() === now.getFullYear() ? undefined : 'numeric'
  return formatDate(locale, then, { weekday: 'short', day: 'numeric', month: 'long', year })
}

export function clock(locale: string, at: string): string {
  return formatDate(locale, at, { hour: 'numeric', minute: '2-digit' })
}

/** For tips. */
export function exactly(locale: string, at: string): string {
  return formatDate(locale, at, { dateStyle: 'full', timeStyle: 'long' })
}

/** As wide as time and ticks at the end of a message; unseen, it keeps their place free. */
export function metaGhost(at: string, edited: string | null, ticks: boolean): string {
  const locale = currentLocale()
  return `${edited ? `${t('rooms.edited')} ` : ''}${clock(locale, at)}${ticks ? ' \u2003\u2009' : ''}`
}

/** As short as a list needs it: time today, weekday this week, date before. */
export function listTime(locale: string, at: string, now: Date): string {
  const then = new Date(at)
  const days = daysBetween(then, now)
  if (days <= 0) return clock(locale, at)
  if (days === 1) return formatRelativeDay(locale)
  if (days < 7) return formatDate(locale, then, { weekday: 'short' })
  if (then.getFullYear() === now.getFullYear()) return formatDate(locale, then, { day: 'numeric', month: 'short' })
  return formatDate(locale, then, { year: '2-digit', month: '2-digit', day: '2-digit' })
}

function formatRelativeDay(locale: string): string {
  return capitalised(new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-1, 'day'), locale)
}

