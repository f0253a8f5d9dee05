/** In the text field people are called "@Name"; in the message they are `<@id>`. */
import type { Id } from '../types'

export interface Named {
  id: Id
  name: string
}

const TOKEN = /<@([A-Za-z0-9_-]{1,64})>/g

export function toDisplay(source: string, nameOf: (id: Id) => string): string {
  return source.replace(TOKEN, (_, id: string) => `@${nameOf(id)}`)
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/**
 * `picked` says who is meant where several have one name. Longer names win over shorter ones that they begin with. A name
 * counts only where a word could begin, so that mail addresses stay what they are.
 */
export function toSource(text: string, people: readonly Named[], picked: ReadonlyMap<string, Id>): string {
  if (!text.includes('@')) return text
  const byName = new Map<string, Id | null>()
  for (const { id, name } of people) if (name) byName.set(name, byName.has(name) ? null : id)
  for (const [name, id] of picked) byName.set(name, id)
  const names = [...byName.keys()].filter((name) => text.includes(`@${name}`)).sort((a, b) => b.length - a.length)
  if (names.length === 0) return text
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}.])@(${names.map(escaped).join('|')})(?![\\p{L}\\p{N}])`, 'gu')
  return text.replace(pattern, (all, name: string) => {
    const id = byName.get(name)
    return id ? `<@${id}>` : all
  })
}

/** What stands between an "@" and the caret, when a name is being typed there. */
export function mentionAt(text: string, caret: number): { from: number; query: string } | null {
  const before = text.slice(0, caret)
  const from = before.lastIndexOf('@')
  if (from < 0 || caret - from > 40) return null
  if (from > 0 && /[\p{L}\p{N}.]/u.test(before[from - 1]!)) return null
  const query = before.slice(from + 1)
  // A name has at most a few words; a line break ends it.
  if (/\n/.test(query) || /^\s/.test(query) || query.split(/\s+/).length > 3) return null
  return { from, query }
}
