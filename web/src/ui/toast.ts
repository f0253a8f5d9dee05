import { shallowReactive } from 'vue'

export interface Toast {
  id: number
  text: string
  tone: 'neutral' | 'danger'
  action?: { label: string; run: () => unknown }
  /** Called once when it goes without its action having been used. */
  onGone?: () => unknown
  /** Milliseconds it stays; it stays longer while looked at. */
  duration: number
}

export const toasts = shallowReactive<Toast[]>([])

const SHOWN_MS = 4_000
const WITH_ACTION_MS = 7_000 // time to read, think "no!", and reach the button
const AT_MOST = 3

let nextId = 1

export function toast(text: string, options: Partial<Omit<Toast, 'id' | 'text'>> = {}): Toast {
  const duration = options.action ? WITH_ACTION_MS : SHOWN_MS
  const shown: Toast = { id: nextId++, text, tone: 'neutral', duration, ...options }
  toasts.push(shown)
  while (toasts.length > AT_MOST) dismissToast(toasts[0]!)
  return shown
}

export function dismissToast(shown: Toast, used = false): void {
  const index = toasts.indexOf(shown)
  if (index < 0) return
  toasts.splice(index, 1)
  if (!used) shown.onGone?.()
}

export function actOnToast(shown: Toast): void {
  dismissToast(shown, true)
  shown.action?.run()
}

// What was shown as done must be done, also when the tab is closed before the toast goes.
globalThis.addEventListener?.('pagehide', () => {
  for (const shown of [...toasts]) dismissToast(shown)
})
