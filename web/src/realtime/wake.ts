/** Tells when the page comes back from somewhere: another tab, sleep, no network. */

const CHECK_MS = 10_000
/** A timer that comes this late has slept with the machine. */
const SLEPT_MS = 45_000
/** Shorter looks away need no question. */
const AWAY_MS = 5_000

export interface WakeOptions {
  /** Visible again after a while, or the network is back. */
  onWake: () => void
  /** The machine slept: open sockets are likely dead. */
  onSlept: () => void
}

export function watchWake({ onWake, onSlept }: WakeOptions): () => void {
  let last = Date.now()
  let hiddenAt = 0
  const tick = () => {
    const slept = Date.now() - last > CHECK_MS + SLEPT_MS
    last = Date.now()
    if (slept && document.visibilityState === 'visible') onSlept()
  }
  const timer = setInterval(tick, CHECK_MS)
  const visibility = () => {
    if (document.visibilityState === 'hidden') hiddenAt = Date.now()
    else if (Date.now() - hiddenAt > AWAY_MS) onWake()
  }
  document.addEventListener('visibilitychange', visibility)
  window.addEventListener('online', onWake)
  window.addEventListener('pageshow', onPageShow)
  function onPageShow(event: PageTransitionEvent): void {
    if (event.persisted) onSlept()
  }
  return () => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', visibility)
    window.removeEventListener('online', onWake)
    window.removeEventListener('pageshow', onPageShow)
  }
}
