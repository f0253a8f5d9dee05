/**
 * Message text. Markdown is parsed to tokens, never to HTML; `MessageBody` makes nodes of them. What is not enabled here
 * (raw HTML, images, headings, tables) stays the text it was typed as.
 */
import MarkdownIt, { type Token } from 'markdown-it'

const BLOCKS = ['fence', 'blockquote', 'list', 'paragraph']
const INLINES = ['text', 'linkify', 'newline', 'escape', 'backticks', 'strikethrough', 'emphasis', 'link', 'autolink', 'entity']
const MENTION = /^<@([A-Za-z0-9_-]{1,64})>/
const SAFE_LINK = /^(https?:|mailto:)/i

export function isSafeLink(url: string): boolean {
  return SAFE_LINK.test(url)
}

function create(): InstanceType<typeof MarkdownIt> {
  const parser = new MarkdownIt({ html: false, linkify: true, breaks: true, typographer: false, maxNesting: 24 })
  parser.validateLink = isSafeLink
  parser.linkify.set({ fuzzyEmail: false, fuzzyIP: false })
  parser.block.ruler.enableOnly(BLOCKS)
  parser.inline.ruler.enableOnly(INLINES)
  parser.inline.ruler.before('autolink', 'mention', (state, silent) => {
    if (state.src.charCodeAt(state.pos) !== 0x3c) return false
    const found = MENTION.exec(state.src.slice(state.pos, state.pos + 70))
    if (!found) return false
    if (!silent) {
      const token = state.push('mention', '', 0)
      token.content = found[1]!
    }
    state.pos += found[0].length
    return true
  })
  return parser
}

const parser = create()
const REMEMBERED = 400
const remembered = new Map<string, Token[]>()

/** Parsed once per text; scrolling shows the same ones again and again. */
export function parse(body: string): Token[] {
  const known = remembered.get(body)
  if (known) return known
  const tokens = parser.parse(body, {})
  remembered.set(body, tokens)
  if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value!)
  return tokens
}

/** A preview may have been cut, or its marks taken off, in the middle of a mention: `<@id`. */
const TORN = /<@([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|all)(?![\w>-])/g

/** One line without marks, for lists, quotes and notifications. */
export function plainText(body: string, nameOf: (id: string) => string, limit = 200): string {
  const parts: string[] = []
  let length = 0
  const walk = (tokens: readonly Token[]): void => {
    for (const token of tokens) {
      if (length > limit) return
      let text = ''
      if (token.type === 'mention') text = `@${nameOf(token.content)}`
      else if (token.type === 'softbreak' || token.type === 'hardbreak') text = ' '
      else if (token.children) walk(token.children)
      else if (token.content) text = token.content
      else if (token.block && token.nesting === -1) text = ' '
      parts.push(text)
      length += text.length
    }
  }
  // A preview needs the beginning only.
  walk(parser.parse(body.slice(0, limit * 4).replace(TORN, '<@$1>'), {}))
  return parts.join('').replace(/\s+/g, ' ').trim().slice(0, limit)
}

const PIECES = [
  String.raw`\p{Extended_Pictographic}`,
  String.raw`\p{Regional_Indicator}{2}`,
  String.raw`\p{Emoji_Modifier}`,
  String.raw`\u200d|\ufe0f|[\u{e0020}-\u{e007f}]`, // what joins and varies them
  String.raw`[#*0-9]\ufe0f?\u20e3`,
  String.raw`\s`,
]
const EMOJI = new RegExp(`^(?:${PIECES.join('|')})+$`, 'u')

/** How many emoji a text of nothing else has; 0 when there is anything else. */
export function emojiOnly(body: string): number {
  const text = body.trim()
  if (text === '' || text.length > 80 || !EMOJI.test(text)) return 0
  const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text.replace(/\s/g, ''))
  return [...segments].length
}
