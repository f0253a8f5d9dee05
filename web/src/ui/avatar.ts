/** One of the eight avatar grounds in tokens.css; the same id has the same one everywhere. */
export function avatarColor(id: string): number {
  let hash = 0x811c9dc5 // FNV-1a, folded: the ids of one minute differ in few places
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  return ((hash ^ (hash >>> 15) ^ (hash >>> 7)) >>> 0) % 8
}

/**
 * Two initials; one where letters have no case and one already is a word or joins the next (佐藤 → 佐, أحمد → أ).
 * Never half an emoji.
 */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean)
  const first = firstGrapheme(words[0] ?? '')
  if (!first) return '?'
  if (!hasCase(first)) return first
  const last = words.length > 1 ? firstGrapheme(words.at(-1)!) : ''
  return (first + (hasCase(last) ? last : '')).toLocaleUpperCase()
}

function hasCase(text: string): boolean {
  return text.toLowerCase() !== text.toUpperCase()
}

function firstGrapheme(text: string): string {
  const parts = new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)
  for (const { segment } of parts) if (/[\p{L}\p{N}\p{S}]/u.test(segment)) return segment // not a lone mark or joiner
  return ''
}
