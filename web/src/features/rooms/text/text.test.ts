// F-RO-05: Markdown rendered safely, no stored XSS
import { mount } from '@vue/test-utils'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { VNode } from 'vue'
import { endsRightToLeft } from './direction'
import { excerpt } from './excerpt'
import { highlight } from './highlight'
import { emojiOnly, plainText } from './markdown'
import { mentionAt, toDisplay, toSource } from './mentions'
import MessageBody from './MessageBody'

const person = (id: string) => ({ id, name: id === 'u1' ? 'Siti Rahma' : 'Someone', me: id === 'me' })
const show = (body: string, words: string[] = []) => mount(MessageBody, { props: { body, person, words } }).element as HTMLElement

describe('message text', () => {
  it('knows the common marks', () => {
    const html = show('**bold** _it_ ~~no~~ `code`\n- one\n- two\n\n> said\n\n```\nx < y\n```').innerHTML
    for (const tag of ['<strong>bold', '<em>it', '<s>no', '<code', '<ul', '<blockquote', '<pre']) expect(html).toContain(tag)
    expect(html).toContain('x &lt; y')
  })

  it('shows markup as the text it is', () => {
    const element = show('<img src=x onerror=alert(1)> <script>alert(1)</script> <b>b</b> ![p](http://x/y.png)')
    expect(element.querySelector('img, script, b')).toBeNull()
    expect(element.textContent).toContain('<img src=x onerror=alert(1)>')
  })

  it('links only to the web and to mail, in a new page without ties', () => {
    const element = show('https://a.example [x](javascript:alert(1)) [y](data:text/html,1) [z](mailto:a@b.example) <vbscript:x>')
    const links = [...element.querySelectorAll('a')]
    expect(links.map((link) => link.protocol)).toEqual(['https:', 'mailto:'])
    for (const link of links) {
      expect(link.rel).toBe('noopener nofollow')
      expect(link.target).toBe('_blank')
    }
  })

  it('tells where a link leads when its text says something else', () => {
    expect(show('[my bank](https://evil.example)').querySelector('a')!.dataset.tip).toBe('https://evil.example')
  })

  it('no text of anybody makes an element or attribute that is not ours', () => {
    const allowed = new Set('div p br strong em s code pre ul ol li blockquote a span button bdi mark'.split(' '))
    const pieces = fc.constantFrom(
      '<script>', '<@u1>', '<@all>', '[x](', 'javascript:', 'https://x.example', ')', '**', '`', '```\n', '\n', '> ', '- ', '1. ',
      '<a href="', 'onclick=', '&lt;', '&#x6a;', '\u202e', '\u200b', '![', '](data:', '|', '~~', '<!--', 'a', ' ',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 25 }), (parts) => {
        const element = show(parts.join(''))
        for (const one of [element, ...element.querySelectorAll('*')]) {
          expect(allowed.has(one.tagName.toLowerCase())).toBe(true)
          for (const { name } of one.attributes) expect(name).not.toMatch(/^on|^style$|^src/)
        }
        for (const link of element.querySelectorAll('a')) expect(link.href).toMatch(/^(https?|mailto):/)
      }),
      { numRuns: 300 },
    )
  })

  it('people are called by name and can be opened', async () => {
    const wrapper = mount(MessageBody, { props: { body: 'ask <@u1> and <@all>', person } })
    expect(wrapper.text()).toContain('@Siti Rahma')
    await wrapper.find('button.mention').trigger('click')
    expect(wrapper.emitted('person')).toEqual([['u1']])
  })

  it('marks the words of a search', () => {
    expect([...show('Harga kopi, harga teh', ['HARGA']).querySelectorAll('mark')].map((mark) => mark.textContent)).toEqual(['Harga', 'harga'])
  })
})

describe('one line of it', () => {
  it('has no marks, and names for people', () => {
    expect(plainText('**Halo** <@u1>\n- a\n- b `c`', (id) => person(id).name)).toBe('Halo @Siti Rahma a b c')
  })

  it('reads a mention that lost its bracket', () => {
    const id = '01a1fa39-0d0e-7060-aeed-117bdd9f038a'
    expect(plainText(`hi <@${id} there`, () => 'Ann')).toBe('hi @Ann there')
  })

  it('shows the part that was searched for', () => {
    const parts = excerpt(`${'x '.repeat(200)}needle${' y'.repeat(200)}`, ['needle'], 60)
    expect(parts.filter((part) => part.hit).map((part) => part.text)).toEqual(['needle'])
    expect(parts.map((part) => part.text).join('').length).toBeLessThan(70)
  })
})

describe('emoji alone', () => {
  it('are counted as people see them', () => {
    expect(emojiOnly('🎉')).toBe(1)
    expect(emojiOnly('👩‍👩‍👧‍👦 🇮🇩 👍🏽 ❤️')).toBe(4)
    expect(emojiOnly('1️⃣')).toBe(1)
    for (const text of ['ok 🎉', '12', '', '#', '©x']) expect(emojiOnly(text)).toBe(0)
  })
})

it('the time finds its place by the direction of the last paragraph', () => {
  expect(endsRightToLeft('مرحبا بالعالم with English inside')).toBe(true)
  expect(endsRightToLeft('hello عالم')).toBe(false)
  expect(endsRightToLeft('مرحبا\n\nhello')).toBe(false)
  expect(endsRightToLeft('hello\n\n- 12 שלום\n')).toBe(true)
  expect(endsRightToLeft('🎉 123')).toBe(false)
})

describe('words that were searched for, in the message itself', () => {
  it('are marked and nothing is left out, wherever they stand', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), fc.string({ maxLength: 30 }), (before, after) => {
        const nodes = highlight(`${before}needle${after}`, ['needle'])
        expect(nodes.map((node) => (typeof node === 'string' ? node : (node as VNode).children)).join('')).toBe(`${before}needle${after}`)
      }),
    )
  })
})

describe('mentions while typing', () => {
  const people = [
    { id: 'a', name: 'Ann' },
    { id: 'ab', name: 'Ann Lee' },
    { id: 'b1', name: 'Budi' },
    { id: 'b2', name: 'Budi' },
  ]

  it('names become ids when sent, the longer one first', () => {
    expect(toSource('@Ann Lee and @Ann, hi', people, new Map())).toBe('<@ab> and <@a>, hi')
    expect(toSource('mail ann@Ann or @Anna', people, new Map())).toBe('mail ann@Ann or @Anna')
  })

  it('of two with one name the chosen one is meant', () => {
    expect(toSource('@Budi', people, new Map())).toBe('@Budi')
    expect(toSource('@Budi', people, new Map([['Budi', 'b2']]))).toBe('<@b2>')
  })

  it('and ids become names again when edited', () => {
    expect(toDisplay('<@ab>!', (id) => people.find((one) => one.id === id)!.name)).toBe('@Ann Lee!')
  })

  it('the list opens at a word that begins with @', () => {
    expect(mentionAt('hi @bu', 6)).toEqual({ from: 3, query: 'bu' })
    expect(mentionAt('a@bu', 4)).toBeNull()
    expect(mentionAt('@one two three four', 19)).toBeNull()
    expect(mentionAt('@x\ny', 4)).toBeNull()
  })
})
