/**
 * How long to wait before trying again, in milliseconds. Half of it is fixed, half random: after a deploy thousands of
 * pages must not come back in the same second.
 */
export function backoff(attempt: number, options: { base?: number; cap?: number; random?: () => number } = {}): number {
  const { base = 600, cap = 20_000, random = Math.random } = options
  const whole = Math.min(cap, base * 2 ** Math.min(attempt, 16))
  return whole / 2 + (whole / 2) * random()
}
