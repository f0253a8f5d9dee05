import { useFormat } from '@/app/format'

const COMPACT_FROM = 100_000 // larger ones would not fit a tile

/** Numbers as the console writes them. */
export function useFigures() {
  const format = useFormat()
  const count = (value: number) =>
    value < COMPACT_FROM ? format.number(value, { maximumFractionDigits: 0 }) : format.number(value, { notation: 'compact', maximumFractionDigits: 1 })
  /** Few per second deserve a decimal. */
  const rate = (value: number | null | undefined) => {
    if (value === null || value === undefined) return null
    return value > 0 && value < 9.95 ? format.number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) : count(value)
  }
  const percent = (share: number) => format.number(share, { style: 'percent', maximumFractionDigits: 0 })
  /** The two largest units: 3d 4h, 12min 5s. */
  const duration = (seconds: number) => {
    const units = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]] as const
    const first = Math.max(0, units.findIndex(([, size]) => seconds >= size))
    return units
      .slice(seconds < 1 ? 3 : first, first + 2)
      .map(([unit, size], index) => {
        const value = Math.floor((index ? seconds % units[first]![1] : seconds) / size)
        return format.number(value, { style: 'unit', unit, unitDisplay: 'narrow' })
      })
      .join(' ')
  }
  return { count, rate, percent, duration, bytes: format.bytes }
}
