export const isMac = /mac|iphone|ipad/i.test(globalThis.navigator?.platform ?? '')

const NAMES: Record<string, string> = {
  mod: isMac ? '⌘' : 'Ctrl',
  shift: isMac ? '⇧' : 'Shift',
  alt: isMac ? '⌥' : 'Alt',
  enter: '↵',
  escape: 'Esc',
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
}

/** How a combination is written on this machine: `mod k` → ⌘ K or Ctrl K. */
export function keyNames(keys: string): string[] {
  return keys.split(' ').map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key))
}
