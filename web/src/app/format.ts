import { computed } from 'vue'
import { useNow } from '@vueuse/core'
import { useI18n } from 'vue-i18n'

const cache = new Map<string, Intl.DateTimeFormat | Intl.NumberFormat | Intl.RelativeTimeFormat | Intl.ListFormat>()

/** Making an Intl formatter costs more than a hundred uses of it. */
function cached<T extends { new (locale: string, options: object): InstanceType<T> }>(
  Kind: T,
  locale: string,
  options: object,
): InstanceType<T> {
  const key = `${Kind.name}${locale}${JSON.stringify(options)}`
  const found = cache.get(key) ?? new Kind(locale, options)
  cache.set(key, found as never)
  return found as InstanceType<T>
}

export type Moment = string | number | Date

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** One clock for every relative time on the page. */
const now = useNow({ interval: 30_000 })

export function formatDate(locale: string, at: Moment, options: Intl.DateTimeFormatOptions): string {
  return cached(Intl.DateTimeFormat, locale, options).format(new Date(at))
}

/** Under a day "5 minutes ago"; after that the date, with the year when it isn't this one. */
export function formatRelative(locale: string, at: Moment, from: number): string {
  const then = new Date(at)
  const age = from - then.getTime()
  const relative = cached(Intl.RelativeTimeFormat, locale, { numeric: 'auto' })
  if (Math.abs(age) < MINUTE) return relative.format(0, 'second')
  if (Math.abs(age) < HOUR) return relative.format(-Math.round(age / MINUTE), 'minute')
  if (Math.abs(age) < DAY) return relative.format(-Math.round(age / HOUR), 'hour')
  const sameYear = then.getFullYear() === new Date(from).getFullYear()
  return formatDate(locale, then, { day: 'numeric', month: 'short', year: sameYear ? undefined : 'numeric' })
}

/** Dates, numbers and lists in the page's language and the viewer's zone. */
export function useFormat() {
  const { locale } = useI18n()
  const at = computed(() => locale.value)
  return {
    date: (moment: Moment) => formatDate(at.value, moment, { dateStyle: 'medium' }),
    time: (moment: Moment) => formatDate(at.value, moment, { hour: '2-digit', minute: '2-digit' }),
    dateTime: (moment: Moment) => formatDate(at.value, moment, { dateStyle: 'medium', timeStyle: 'short' }),
    exact: (moment: Moment) => formatDate(at.value, moment, { dateStyle: 'full', timeStyle: 'long' }),
    relative: (moment: Moment) => formatRelative(at.value, moment, now.value.getTime()),
    number: (value: number, options: Intl.NumberFormatOptions = {}) => cached(Intl.NumberFormat, at.value, options).format(value),
    list: (items: string[]) => cached(Intl.ListFormat, at.value, { type: 'conjunction' }).format(items),
    /** 25 MB; steps of 1,024, as people's own systems count. */
    bytes: (size: number) => formatBytes(at.value, size),
  }
}

export function formatBytes(locale: string, size: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte']
  const power = Math.min(Math.floor(Math.log(Math.max(size, 1)) / Math.log(1_024)), units.length - 1)
  const value = size / 1_024 ** power
  const options = { style: 'unit', unit: units[power], unitDisplay: 'short', maximumFractionDigits: power > 1 ? 1 : 0 }
  return cached(Intl.NumberFormat, locale, options).format(value)
}
