import { expect, it } from 'vitest'
import { usePages } from './usePages'

const ALL = ['a', 'b', 'c', 'd', 'e']

/** Two at a time; the cursor is where to go on. */
function read(cursor: string | undefined) {
  const from = Number(cursor ?? 0)
  return Promise.resolve({ items: ALL.slice(from, from + 2), next_cursor: from + 2 < ALL.length ? String(from + 2) : null })
}

it('reads page by page to the end, and anew from the beginning', async () => {
  const pages = usePages(read)
  expect(pages.items.value).toBeNull()
  await pages.load()
  expect([pages.items.value, pages.hasMore.value]).toEqual([['a', 'b'], true])
  await pages.more()
  await pages.more()
  expect([pages.items.value, pages.hasMore.value]).toEqual([ALL, false])
  await pages.load()
  expect(pages.items.value).toEqual(['a', 'b'])
})

it('goes on after a page that failed, and keeps what is there', async () => {
  let broken = false
  const pages = usePages((cursor) => (broken ? Promise.reject(new Error('lost')) : read(cursor)))
  await pages.load()
  broken = true
  await pages.more()
  expect([pages.items.value, pages.loading.value]).toEqual([['a', 'b'], false])
  expect(pages.error.value).toBeInstanceOf(Error)
  broken = false
  await pages.retry()
  expect([pages.items.value, pages.error.value]).toEqual([['a', 'b', 'c', 'd'], null])
})

it('forgets an answer that a later question has overtaken', async () => {
  const waiting: (() => void)[] = []
  const pages = usePages(() => new Promise<{ items: number[]; next_cursor: null }>((done) => {
    const turn = waiting.length
    waiting.push(() => done({ items: [turn], next_cursor: null }))
  }))
  const both = [pages.load(), pages.load()]
  waiting[1]!()
  waiting[0]!()
  await Promise.all(both)
  expect(pages.items.value).toEqual([1])
})
