/** A short two-note chime, synthesised: no file to load, nothing to license. */
let context: AudioContext | null = null

const NOTES = [
  { hertz: 660, at: 0 },
  { hertz: 880, at: 0.09 },
]
const LENGTH_S = 0.16
const LOUDNESS = 0.05

/** A lively room rings once, not with every line. */
const REST_MS = 2_000
let last = -Infinity

export function chime(): void {
  // Before the first click or key browsers keep a page silent, and say so in the console.
  if (navigator.userActivation && !navigator.userActivation.hasBeenActive) return
  if (performance.now() - last < REST_MS) return
  last = performance.now()
  try {
    context ??= new AudioContext()
    if (context.state === 'suspended') void context.resume()
    for (const { hertz, at } of NOTES) tone(context, hertz, context.currentTime + at)
  } catch {
    // no audio here
  }
}

function tone(audio: AudioContext, hertz: number, start: number): void {
  const oscillator = audio.createOscillator()
  const gain = audio.createGain()
  oscillator.type = 'sine'
  oscillator.frequency.value = hertz
  gain.gain.setValueAtTime(0, start)
  gain.gain.linearRampToValueAtTime(LOUDNESS, start + 0.012)
  gain.gain.exponentialRampToValueAtTime(0.0001, start + LENGTH_S)
  oscillator.connect(gain).connect(audio.destination)
  oscillator.start(start)
  oscillator.stop(start + LENGTH_S)
}
