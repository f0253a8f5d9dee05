/** Message text as nodes. No markup of any author reaches the page: elements are made here, text is text. */
import type { Token } from 'markdown-it'
import { defineComponent, h, type PropType, type VNode, type VNodeArrayChildren } from 'vue'
import { highlight } from './highlight'
import { isSafeLink, parse } from './markdown'

interface Person {
  id: string
  name: string
  me: boolean
}

const TAGS: Record<string, string> = {
  paragraph_open: 'p',
  blockquote_open: 'blockquote',
  bullet_list_open: 'ul',
  ordered_list_open: 'ol',
  list_item_open: 'li',
  strong_open: 'strong',
  em_open: 'em',
  s_open: 's',
}

interface Context {
  person: (id: string) => Person
  words: readonly string[]
  openPerson: (id: string) => void
}

/** Where the token's element is closed again. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0
  for (let i = open; i < tokens.length; i++) {
    depth += tokens[i]!.nesting
    if (depth === 0) return i
  }
  return tokens.length
}

function render(tokens: readonly Token[], context: Context, tail?: VNode): VNodeArrayChildren {
  const nodes: VNodeArrayChildren = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token.nesting === 1) {
      const end = closing(tokens, i)
      const isLast = end === tokens.length - 1 && token.type === 'paragraph_open'
      const inner = render(tokens.slice(i + 1, end), context)
      if (isLast && tail) inner.push(tail)
      nodes.push(element(token, inner))
      i = end
    } else {
      nodes.push(...leaf(token, context))
    }
  }
  if (tail && tokens.at(-1)?.type !== 'paragraph_close') nodes.push(tail)
  return nodes
}

function element(token: Token, inner: VNodeArrayChildren): VNode {
  if (token.type === 'link_open') {
    const href = String(token.attrGet('href') ?? '')
    if (!isSafeLink(href)) return h('span', inner)
    // Where a link leads is shown when its text says something else.
    const tip = token.markup === 'linkify' || token.markup === 'autolink' ? undefined : href
    return h('a', { href, target: '_blank', rel: 'noopener nofollow', 'data-tip': tip }, inner)
  }
  if (token.type === 'ordered_list_open') {
    const start = Number(token.attrGet('start') ?? 1)
    return h('ol', { start: start > 1 && start < 1e6 ? start : undefined, dir: 'auto' }, inner)
  }
  if (token.type === 'paragraph_open' && token.hidden) return h('div', { dir: 'auto' }, inner)
  const tag = TAGS[token.type] ?? 'span'
  return h(tag, token.block ? { dir: 'auto' } : {}, inner)
}

function leaf(token: Token, context: Context): VNodeArrayChildren {
  if (token.type === 'inline') return render(token.children ?? [], context)
  if (token.type === 'softbreak' || token.type === 'hardbreak') return [h('br')]
  if (token.type === 'code_inline') return [h('code', { dir: 'auto' }, token.content)]
  if (token.type === 'fence' || token.type === 'code_block') {
    return [h('pre', { dir: 'ltr', tabindex: 0 }, [h('code', token.content.replace(/\n$/, ''))])]
  }
  if (token.type === 'mention') return [mention(token.content, context)]
  return token.content ? highlight(token.content, context.words) : []
}

function mention(id: string, context: Context): VNode {
  const { name, me } = context.person(id)
  if (id === 'all') return h('span', { class: 'mention mention-me' }, `@${name}`)
  const open = () => context.openPerson(id)
  return h('button', { type: 'button', class: ['mention', me && 'mention-me'], onClick: open }, [h('bdi', `@${name}`)])
}

export default defineComponent({
  name: 'MessageBody',
  props: {
    body: { type: String, required: true },
    person: { type: Function as PropType<Context['person']>, required: true },
    /** marked where they occur */
    words: { type: Array as PropType<readonly string[]>, default: () => [] },
  },
  emits: { person: (id: string) => Boolean(id) },
  setup(props, { emit, slots }) {
    return () => {
      const context = { person: props.person, words: props.words, openPerson: (id: string) => emit('person', id) }
      const tail = slots.tail ? h('span', { class: 'tail', 'aria-hidden': true }, slots.tail()) : undefined
      return h('div', { class: 'message-body', dir: 'auto' }, render(parse(props.body), context, tail))
    }
  },
})
