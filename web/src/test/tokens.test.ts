import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

// Style sheets are read from disk: imported here they would be empty.
const tokens = readFileSync('src/ui/tokens.css', 'utf8')
const code = import.meta.glob<string>(['/src/**/*.{vue,ts}', '!/src/**/*.test.ts'], { eager: true, query: '?raw', import: 'default' })
const sources = { ...code, '/src/ui/base.css': readFileSync('src/ui/base.css', 'utf8') }

/** [lightness, chroma, hue] of both themes; one value stands for both. */
function read(name: string): [number[], number[]] {
  const value = new RegExp(`--color-${name}:\\s*([^;]+);`).exec(tokens)?.[1]
  if (!value) throw new Error(`no token ${name}`)
  const linked = /^var\(--color-([\w-]+)\)$/.exec(value)
  if (linked) return read(linked[1]!)
  const colors = [...value.matchAll(/oklch\(([\d. ]+)\)/g)].map((match) => match[1]!.trim().split(' ').map(Number))
  return [colors[0]!, colors[1] ?? colors[0]!]
}

/** WCAG relative luminance, by way of linear sRGB. */
function luminance([l, c, h]: number[]): number {
  const a = c! * Math.cos((h! * Math.PI) / 180)
  const b = c! * Math.sin((h! * Math.PI) / 180)
  const long = (l! + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const middle = (l! - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const short = (l! - 0.0894841775 * a - 1.291485548 * b) ** 3
  const clamp = (value: number) => Math.min(1, Math.max(0, value))
  const red = clamp(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short)
  const green = clamp(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short)
  const blue = clamp(-0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string, other: string, theme: 0 | 1): number {
  const [light, dark] = [luminance(read(one)[theme]), luminance(read(other)[theme])].sort((x, y) => y - x)
  return (light! + 0.05) / (dark! + 0.05)
}

const GROUNDS = ['ground', 'surface', 'raised', 'sunken']
const TEXTS = ['ink', 'muted', 'faint', 'accent-ink', 'danger-ink', 'warn-ink', 'ok-ink']
const pairs: [string, string, number][] = [
  ...GROUNDS.flatMap((ground) => TEXTS.map((text): [string, string, number] => [text, ground, 4.5])),
  ...GROUNDS.map((ground): [string, string, number] => ['control', ground, 3]),
  ...GROUNDS.map((ground): [string, string, number] => ['focus', ground, 3]),
  ...['accent', 'accent-strong', 'danger', 'danger-strong'].map((fill): [string, string, number] => ['on-accent', fill, 4.5]),
  ...Array.from({ length: 8 }, (_, index): [string, string, number] => ['on-avatar', `avatar-${index}`, 4.5]),
  ['danger-ink', 'danger-tint', 4.5],
  ['warn-ink', 'warn-tint', 4.5],
  ['ok-ink', 'ok-tint', 4.5],
  ['accent-ink', 'accent-tint', 4.5],
  ['ink', 'bubble-own', 7],
  ['muted', 'bubble-own', 4.5],
  ['ink', 'mention', 7],
]

describe('design tokens', () => {
  it.each(['light', 'dark'] as const)('have the contrast of WCAG AA, %s', (theme) => {
    const index = theme === 'light' ? 0 : 1
    const poor = pairs.map(([one, other, least]) => ({ one, other, least, ratio: Math.round(contrast(one, other, index) * 100) / 100 }))
    expect(poor.filter(({ ratio, least }) => ratio < least)).toEqual([])
  })

  it('are the only place with colours', () => {
    const literal = /#[0-9a-f]{3,8}\b(?=['";\s)])|\b(?:rgba?|hsla?|oklch|oklab)\(/i
    const found = Object.entries(sources).filter(([, text]) => literal.test(text.replaceAll(/color-mix\([^;]*\);/g, '')))
    expect(found.map(([path]) => path)).toEqual([])
  })
})
