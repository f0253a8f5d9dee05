import { onScopeDispose, ref, shallowReactive } from 'vue'

export interface Shortcut {
  /** `mod k`, `shift n`, `?`; two plain letters are pressed one after the other: `g r`. */
  keys: string
  /** Message keys: what it does, and the heading it stands under in the sheet. */
  label: string
  group: string
  /** Also while typing in a field; only sensible with `mod`. */
  whileTyping?: boolean
  run: (event: KeyboardEvent) => unknown
}

export const shortcuts = shallowReactive<Shortcut[]>([])

/** The sheet that lists them. */
export const sheetOpen = ref(false)

const CHORD_MS = 1_000 // long enough for a slow second key, short enough not to surprise
const MODIFIERS = new Set(['mod', 'shift', 'alt'])

let pending: { key: string; at: number } | null = null

/** The first of two keys has been pressed; the next one belongs to it and to nothing else. */
export function inChord(): boolean {
  return pending !== null && Date.now() - pending.at < CHORD_MS && shortcuts.some(({ keys }) => keys.startsWith(`${pending!.key} `))
}

/** Lives as long as the component that calls it. Later ones win over earlier ones with the same keys. */
export function useShortcut(shortcut: Shortcut): void {
  shortcuts.push(shortcut)
  onScopeDispose(() => {
    const index = shortcuts.indexOf(shortcut)
    if (index >= 0) shortcuts.splice(index, 1)
  })
}

export function handleShortcut(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || !event.key) return
  const typing = isTyping(event.target)
  const pressed = combination(event)
  const chord = inChord() ? `${pending!.key} ${pressed}` : null
  pending = null

  const match = chord ? find(chord, typing) : undefined
  const shortcut = match ?? find(pressed, typing)
  if (shortcut) {
    event.preventDefault()
    shortcut.run(event)
  } else if (!typing && pressed.length === 1) {
    pending = { key: pressed, at: Date.now() }
  }
}

export function startShortcuts(): void {
  window.addEventListener('keydown', handleShortcut)
}

function find(keys: string, typing: boolean): Shortcut | undefined {
  return shortcuts.findLast((shortcut) => shortcut.keys === keys && (!typing || shortcut.whileTyping))
}

function combination(event: KeyboardEvent): string {
  const key = event.key === ' ' ? 'space' : event.key.replace(/^Arrow/, '').toLowerCase()
  const printable = event.key.length === 1 && !/[a-z]/i.test(event.key)
  const parts = [
    (event.ctrlKey || event.metaKey) && 'mod',
    event.altKey && 'alt',
    event.shiftKey && !printable && 'shift', // "?" already is the shifted key
    !MODIFIERS.has(key) && key,
  ]
  return parts.filter(Boolean).join(' ')
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}
