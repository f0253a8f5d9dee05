import { describe, expect, it } from 'vitest'

/** Every key is there in all three languages, every key that is asked for exists, and none is left over. */

type Tree = { [key: string]: string | Tree }
const files = import.meta.glob<Tree>(['/src/locales/*.json', '/src/features/*/locales/*.json'], { eager: true, import: 'default' })
const sources = import.meta.glob<string>(['/src/**/*.{ts,vue}', '!/src/**/*.test.ts', '!/src/api/**'], { eager: true, query: '?raw', import: 'default' })

const LOCALES = ['en', 'id', 'ja'] as const
const messages = Object.fromEntries(LOCALES.map((locale) => [locale, flatten(locale)])) as Record<(typeof LOCALES)[number], Map<string, string>>

function flatten(locale: string): Map<string, string> {
  const flat = new Map<string, string>()
  for (const [path, tree] of Object.entries(files)) {
    if (!path.endsWith(`/${locale}.json`)) continue
    const feature = /\/features\/([^/]+)\//.exec(path)?.[1]
    walk(tree, feature ? `${feature}.` : '', flat)
  }
  return flat
}

function walk(tree: Tree, prefix: string, into: Map<string, string>): void {
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') into.set(prefix + key, value)
    else walk(value, `${prefix}${key}.`, into)
  }
}

/** `{name}`s of a message, in any order. */
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

const roots = new Set([...messages.en.keys()].map((key) => key.split('.')[0]))
const code = Object.values(sources).join('\n')

/** Quoted words that look like keys: `'rooms.title'`. */
const literal = new Set([...code.matchAll(/['"`]([a-z]\w*(?:\.\w+)+)['"`]/g)].map((match) => match[1]!).filter((key) => roots.has(key.split('.')[0])))
/** Keys put together: `app.role.${role}` asks for everything that begins so. */
const prefixes = [...code.matchAll(/`([a-z]\w*(?:\.\w+)*\.)\$\{/g)].map((match) => match[1]!)

describe('messages', () => {
  it.each(['id', 'ja'] as const)('%s has the keys of en', (locale) => {
    expect([...messages[locale].keys()].sort()).toEqual([...messages.en.keys()].sort())
  })

  it.each(['id', 'ja'] as const)('%s has the placeholders of en', (locale) => {
    const different = [...messages.en].filter(([key, text]) => placeholders(messages[locale].get(key) ?? '').join() !== placeholders(text).join())
    expect(different.map(([key]) => key)).toEqual([])
  })

  it('are all there that the code asks for', () => {
    const asked = [...code.matchAll(/\bt\(\s*['"`]([\w.]+)['"`]/g)].map((match) => match[1]!)
    expect([...new Set(asked)].filter((key) => !messages.en.has(key))).toEqual([])
    const families = [...code.matchAll(/\bt\(\s*`([\w.]+\.)\$\{/g)].map((match) => match[1]!)
    expect(families.filter((prefix) => ![...messages.en.keys()].some((key) => key.startsWith(prefix)))).toEqual([])
  })

  it('are all used', () => {
    const unused = [...messages.en.keys()].filter((key) => !literal.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)))
    expect(unused).toEqual([])
  })

  it('are not empty', () => {
    for (const locale of LOCALES) expect([...messages[locale]].filter(([, text]) => text.trim() === '')).toEqual([])
  })
})
