/** One of the eight avatar grounds in tokens.css; the same id has the same one everywhere. */
export function avatarColor(id: string): number {
  let hash = 0
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)!) >>> 0
  return hash % 8
}

const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u

/** Two initials; one character where a character is a word (佐藤 → 佐). Never half an emoji. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean)
  const first = firstGrapheme(words[0] ?? '')
  if (!first) return '?'
  if (WIDE.test(first)) return first
  const last = words.length > 1 ? firstGrapheme(words.at(-1)!) : ''
  return (first + (WIDE.test(last) ? '' : last)).toLocaleUpperCase()
}

function firstGrapheme(text: string): string {
  const visible = text.replace(/[\p{Cf}\p{Cc}]/gu, '')
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(visible)) return segment
  return ''
}
