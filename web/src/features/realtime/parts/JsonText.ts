import { h, type FunctionalComponent } from 'vue'

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const LONGEST = 20_000 // characters; a longer text is shown without colours

/** JSON text with its keys, strings and numbers told apart. Anything else stays as it is. */
const JsonText: FunctionalComponent<{ text: string }> = ({ text }) => {
  if (text.length > LONGEST || !/^\s*[[{]/.test(text)) return text
  const parts: (string | ReturnType<typeof h>)[] = []
  let end = 0
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(end, match.index))
    end = match.index + match[0].length
    if (match[2]) parts.push(h('span', { class: 'text-accent-ink' }, match[1]), match[2])
    else parts.push(h('span', { class: match[1] ? 'text-ink' : 'text-warn-ink' }, match[0]))
  }
  return [...parts, text.slice(end)]
}
JsonText.props = ['text']

export default JsonText
