import { h, type VNodeArrayChildren } from 'vue'

/** The text with every occurrence of the words in <mark>; case and accents don't matter where length allows it. */
export function highlight(text: string, words: readonly string[]): VNodeArrayChildren {
  const wanted = words.map((word) => word.toLocaleLowerCase()).filter(Boolean)
  if (wanted.length === 0) return [text]
  const lower = text.toLocaleLowerCase()
  if (lower.length !== text.length) return [text] // İ and friends change the length: positions would be wrong
  const nodes: VNodeArrayChildren = []
  let at = 0
  while (at < text.length) {
    const hits = wanted
      .map((word) => ({ start: lower.indexOf(word, at), length: word.length }))
      .filter((hit) => hit.start >= 0)
      .sort((a, b) => a.start - b.start || b.length - a.length)
    const hit = hits[0]
    if (!hit) break
    if (hit.start > at) nodes.push(text.slice(at, hit.start))
    nodes.push(h('mark', text.slice(hit.start, hit.start + hit.length)))
    at = hit.start + hit.length
  }
  if (at < text.length) nodes.push(text.slice(at))
  return nodes
}
