import 'fake-indexeddb/auto'
import { expect, it } from 'vitest'
import { openDatabase, openDrafts, uuid, wipe, wipeCaches } from '.'

it('a draft is there at once and after the page was closed', () => {
  openDrafts('ann', 'w').set('room/1', 'half a sen')
  expect(openDrafts('ann', 'w').get('room/1')).toBe('half a sen')
  expect(openDrafts('ann', 'w').has('room/1')).toBe(true)
  expect(openDrafts('bo', 'w').get('room/1')).toBe('')
  openDrafts('ann', 'w').set('room/1', '')
  expect(openDrafts('ann', 'w').has('room/1')).toBe(false)
})

it('signing out leaves nothing behind', async () => {
  const database = (await openDatabase('ann', 'w'))!
  await database.put('cache', { rooms: {} }, 'rooms/head')
  openDrafts('ann', 'w').set('room/1', 'secret')
  await wipe()
  expect(localStorage.getItem('kanal.draft.ann.w.room/1')).toBeNull()
  const again = (await openDatabase('ann', 'w'))!
  expect(await again.getAllKeys('cache')).toEqual([])
  again.close()
})

it('signing in clears what others left, not what is mine', async () => {
  for (const user of ['ann', 'bo']) {
    const database = (await openDatabase(user, 'w'))!
    await database.put('cache', user, 'rooms/head')
    database.close()
    openDrafts(user, 'w').set('room/1', user)
  }
  await wipe('ann')
  expect(openDrafts('ann', 'w').get('room/1')).toBe('ann')
  expect(openDrafts('bo', 'w').get('room/1')).toBe('')
  const [ann, bo] = [(await openDatabase('ann', 'w'))!, (await openDatabase('bo', 'w'))!]
  expect(await ann.get('cache', 'rooms/head')).toBe('ann')
  expect(await bo.get('cache', 'rooms/head')).toBeUndefined()
  ann.close()
  bo.close()
})

it('a session that ran out hides what was read and keeps what was written', async () => {
  const database = (await openDatabase('ann', 'w'))!
  await database.put('cache', {}, 'rooms/head')
  await database.put('outbox', { id: 'a', lane: 'r', order: 1, notBefore: 0, payload: {}, failure: null })
  database.close()
  await wipeCaches()
  const again = (await openDatabase('ann', 'w'))!
  expect(await again.getAllKeys('cache')).toEqual([])
  expect(await again.getAllKeys('outbox')).toEqual(['a'])
  again.close()
})

it('what was removed meanwhile is not made again', async () => {
  localStorage.setItem('kanal.databases', JSON.stringify(['kanal/gone/w']))
  await wipeCaches()
  expect((await indexedDB.databases()).map((one) => one.name)).not.toContain('kanal/gone/w')
})

it('makes ids without a secure origin', () => {
  const original = crypto.randomUUID
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true })
  expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  Object.defineProperty(crypto, 'randomUUID', { value: original, configurable: true })
})
