import { h, type VNodeArrayChildren } from 'vue'
import { excerpt } from './excerpt'

/** The whole text with every occurrence of the words in <mark>. */
export function highlight(text: string, words: readonly string[]): VNodeArrayChildren {
  if (words.length === 0) return [text]
  return excerpt(text, words, text.length).map((part) => (part.hit ? h('mark', part.text) : part.text))
}
