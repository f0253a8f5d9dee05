import { describe, expect, it } from 'vitest'
import { lineOf, SHOWN_MS, spanOf, withSample } from './series'

const NOW = 1_000_000

describe('a line', () => {
  it('ends at now on the right, touches the top at its peak and stands on zero', () => {
    const points = [{ at: NOW - 2_000, value: 0 }, { at: NOW - 1_000, value: 50 }, { at: NOW, value: 25 }]
    const { path, peak } = lineOf(points, NOW, SHOWN_MS, 180, 40)
    expect(path).toBe('M178 40L179 0L180 20')
    expect(peak).toBe(50)
  })

  it('is broken where nothing is known', () => {
    const points = [{ at: NOW - 60_000, value: 1 }, { at: NOW - 59_000, value: 1 }, { at: NOW - 1_000, value: 1 }, { at: NOW, value: 1 }]
    expect(lineOf(points, NOW, SHOWN_MS, 180, 40).path.match(/M/g)).toHaveLength(2)
    expect(lineOf([{ at: NOW, value: null }], NOW, SHOWN_MS, 180, 40)).toEqual({ path: '', area: '', peak: 0 })
  })

  it('of nothing but zeros lies on the foot', () => {
    const points = [{ at: NOW - 1_000, value: 0 }, { at: NOW, value: 0 }]
    expect(lineOf(points, NOW, SHOWN_MS, 180, 40).path).toBe('M179 40L180 40')
  })
})

it('a line spans what is there, from one minute to three', () => {
  expect(spanOf([], NOW)).toBe(60_000)
  expect(spanOf([{ at: NOW - 90_000 }], NOW)).toBe(90_000)
  expect(spanOf([{ at: NOW - 900_000 }], NOW)).toBe(SHOWN_MS)
})

it('samples are kept as long as they are shown, and a clock that went back starts anew', () => {
  let samples = withSample([], { at: 0, values: { a: 1 } })
  samples = withSample(samples, { at: 1_000, values: { a: 2 } })
  expect(samples).toHaveLength(2)
  expect(withSample(samples, { at: SHOWN_MS * 2, values: { a: 3 } })).toHaveLength(1)
  expect(withSample(samples, { at: 500, values: { a: 3 } }).map((sample) => sample.at)).toEqual([0, 500])
})
