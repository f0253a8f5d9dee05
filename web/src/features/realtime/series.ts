/** A few minutes of figures, and the line that shows them. */

export interface Sample<Name extends string> {
  /** Milliseconds of the epoch. */
  at: number
  values: Record<Name, number | null>
}

export const SHOWN_MS = 180_000
const LEAST_MS = 60_000 // a page that was just opened is not an empty graph with a stroke at its end
const GAP_MS = 6_000 // without a sample for longer than this, nothing is known and no line is drawn

export function withSample<Name extends string>(samples: Sample<Name>[], next: Sample<Name>): Sample<Name>[] {
  const kept = samples.filter((sample) => sample.at > next.at - SHOWN_MS - GAP_MS && sample.at < next.at)
  return [...kept, next]
}

export interface Line {
  /** Of an SVG path. */
  path: string
  area: string
  /** The highest value, which touches the top. */
  peak: number
}

/** How much time a line spans: what is there, within bounds. */
export function spanOf(samples: { at: number }[], now: number): number {
  return Math.min(SHOWN_MS, Math.max(LEAST_MS, now - (samples[0]?.at ?? now)))
}

/** The right edge is `now`, the left one `span` before it; the foot is 0 and the top the peak. */
export function lineOf(points: { at: number; value: number | null }[], now: number, span: number, width: number, height: number): Line {
  const known = points.filter((point): point is { at: number; value: number } => point.value !== null && point.at >= now - span)
  const peak = Math.max(0, ...known.map((point) => point.value))
  const x = (at: number) => round(width - ((now - at) / span) * width)
  const y = (value: number) => round(height - (peak ? (value / peak) * height : 0))
  const runs: { at: number; value: number }[][] = []
  for (const point of known) {
    const run = runs.at(-1)
    if (run && point.at - run.at(-1)!.at <= GAP_MS) run.push(point)
    else runs.push([point])
  }
  const lines = runs.map((run) => run.map((point, index) => `${index ? 'L' : 'M'}${x(point.at)} ${y(point.value)}`).join(''))
  const areas = runs.map((run, index) => `${lines[index]}L${x(run.at(-1)!.at)} ${height}L${x(run[0]!.at)} ${height}Z`)
  return { path: lines.join(''), area: areas.join(''), peak }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
