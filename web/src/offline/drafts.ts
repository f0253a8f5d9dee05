/**
 * Drafts, kept with every key press. localStorage because it is written before the page can go away; a database may not
 * be.
 */
import { shallowReactive } from 'vue'

const PREFIX = 'kanal.draft.'

export interface Drafts {
  get: (key: string) => string
  set: (key: string, text: string) => void
  /** Reactive: for the mark in a list. */
  has: (key: string) => boolean
}

export function openDrafts(user: string, workspace: string): Drafts {
  const scope = `${PREFIX}${user}.${workspace}.`
  const texts = shallowReactive(new Map<string, string>())
  for (const key of keys(scope)) texts.set(key.slice(scope.length), localStorage.getItem(key) ?? '')
  return {
    get: (key) => texts.get(key) ?? '',
    has: (key) => (texts.get(key) ?? '').trim() !== '',
    set(key, text) {
      if (text === '') texts.delete(key)
      else texts.set(key, text)
      try {
        if (text === '') localStorage.removeItem(scope + key)
        else localStorage.setItem(scope + key, text)
      } catch {
        // full or forbidden: it lasts as long as the page
      }
    },
  }
}

export function wipeDrafts(keepUser?: string): void {
  const kept = keepUser ? `${PREFIX}${keepUser}.` : null
  for (const key of keys(PREFIX)) if (!kept || !key.startsWith(kept)) localStorage.removeItem(key)
}

function keys(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix))
  } catch {
    return []
  }
}
