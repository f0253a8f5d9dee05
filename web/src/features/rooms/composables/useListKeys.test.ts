import { expect, test, vi } from 'vitest'
import { nextTick, ref, shallowRef } from 'vue'
import type { Row } from '../rows'
import { useListKeys } from './useListKeys'

vi.mock('@/app/shortcuts', () => ({ inChord: () => false }))

const message = (id: string) => ({ id, client_id: null, sequence: Number(id) }) as unknown as Row

function listOf(...ids: string[]) {
  const rows = shallowRef(ids.map(message))
  const keys = useListKeys({ rows: () => rows.value, scrollTo: () => {}, box: ref(null), onCommand: () => {} })
  const become = async (...next: string[]) => {
    rows.value = next.map(message)
    await nextTick()
  }
  return { ...keys, become }
}

test('the last message is where Tab lands, also when others come', async () => {
  const list = listOf('1', '2')
  expect(list.active.value).toBe(1)
  await list.become('1', '2', '3')
  expect(list.active.value).toBe(2)
})

test('a chosen message stays chosen when older ones are put before it', async () => {
  const list = listOf('5', '6', '7')
  list.active.value = 1
  await list.become('3', '4', '5', '6', '7')
  expect(list.active.value).toBe(3)
})

test('a chosen message that goes leaves its place to its neighbour', async () => {
  const list = listOf('5', '6', '7')
  list.active.value = 1
  await list.become('5', '7')
  expect(list.active.value).toBe(1)
})
