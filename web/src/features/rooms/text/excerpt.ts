export interface Part {
  text: string
  hit: boolean
}

/** A stretch of the text around the first word that occurs, with the words marked. */
export function excerpt(text: string, words: readonly string[], length: number): Part[] {
  const wanted = words.map((word) => word.toLocaleLowerCase()).filter(Boolean)
  const lower = text.toLocaleLowerCase()
  const sameLength = lower.length === text.length // İ and friends change it: positions would be wrong
  const first = sameLength ? Math.min(...wanted.map((word) => lower.indexOf(word)).filter((at) => at >= 0), Infinity) : Infinity
  const start = first === Infinity || first < length / 2 ? 0 : Math.max(0, Math.min(first - Math.floor(length / 3), text.length - length))
  const cut = text.slice(start, start + length)
  const parts = sameLength ? split(cut, wanted) : [{ text: cut, hit: false }]
  if (start > 0) parts.unshift({ text: '…', hit: false })
  if (start + length < text.length) parts.push({ text: '…', hit: false })
  return parts
}

function split(text: string, words: readonly string[]): Part[] {
  if (words.length === 0) return [{ text, hit: false }]
  const lower = text.toLocaleLowerCase()
  const parts: Part[] = []
  let at = 0
  while (at < text.length) {
    let start = Infinity
    let size = 0
    for (const word of words) {
      const found = lower.indexOf(word, at)
      if (found >= 0 && (found < start || (found === start && word.length > size))) {
        start = found
        size = word.length
      }
    }
    if (start === Infinity) break
    if (start > at) parts.push({ text: text.slice(at, start), hit: false })
    parts.push({ text: text.slice(start, start + size), hit: true })
    at = start + size
  }
  if (at < text.length) parts.push({ text: text.slice(at), hit: false })
  return parts
}
