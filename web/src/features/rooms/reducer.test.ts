import { describe, expect, it } from 'vitest'
import { isNews, isWanted } from './announce'
import { tailOf } from './cache'
import { applyChange } from './composables/useShownMessage'
import { partnerOf, roomTitle } from './names'
import { apply, type Input } from './reducer'
import { INTRO, rowKey, startsDay, startsGroup } from './rows'
import { readByOthers, roomSummaries } from './selectors'
import { emptyState, type PendingMessage, type RoomsState } from './state'
import { SimulatedServer } from './testing/server'
import type { Message, Room } from './types'
import { unreadOf } from './unread'

const play = (state: RoomsState, ...inputs: Input[]) => inputs.reduce(apply, state)

function opened() {
  const server = new SimulatedServer('me', ['me', 'ann', 'bo'])
  const room = server.createRoom('ann', ['me', 'bo'])
  const state = play(emptyState('me'), { type: 'rooms', rooms: server.myRooms(), asked: {} }, { type: 'messages', room_id: room, anchor: {}, page: server.messages(room, {}) })
  const events = () => server.log.map((event): Input => ({ type: 'event', event }))
  return { server, room, state, events }
}

const pending = (room: string, client_id: string): PendingMessage => ({
  client_id, room_id: room, parent_id: null, body: 'x', quote: null, files: [], created_at: '2026-01-01T00:00:00Z', failure: null,
})

describe('messages', () => {
  it('a pending message goes when the server has it, from whichever side it comes', () => {
    const { server, room, state } = opened()
    const message = server.send(room, 'me', 'x')!
    const waiting = play(state, { type: 'pending', message: pending(room, message.client_id!) })
    expect(waiting.pending).toHaveLength(1)
    expect(play(waiting, { type: 'message', message }).pending).toEqual([])
    expect(play(waiting, { type: 'messages', room_id: room, anchor: {}, page: server.messages(room, {}) }).pending).toEqual([])
    // Restored from the disk after the answer was lost.
    const late = play(state, { type: 'message', message }, { type: 'pending', message: pending(room, message.client_id!) })
    expect(late.pending).toEqual([])
  })

  it('an older version never replaces a newer one', () => {
    const { server, room, state } = opened()
    const first = server.send(room, 'ann', 'one')!
    server.edit(first, 'two')
    const now = server.messages(room, {}).items.at(-1)!
    const after = play(state, { type: 'message', message: now }, { type: 'message', message: first })
    expect(after.timelines[room]!.messages.at(-1)!.body).toBe('two')
  })

  it('what I did is shown at once and taken back', () => {
    const { server, room } = opened()
    const message = server.send(room, 'ann', 'one')!
    const react = { kind: 'react', emoji: '👍', on: true, user_id: 'me' } as const
    const liked = applyChange(message, react, 'now')
    expect(liked.reactions).toEqual([{ emoji: '👍', user_ids: ['me'] }])
    expect(applyChange(liked, { ...react, on: false }, 'now').reactions).toEqual([])
    expect(applyChange(message, { kind: 'delete' }, 'now')).toMatchObject({ body: '', deleted_at: 'now' })
    const overlay = { op_id: 'o', message_id: message.id, change: react }
    const state = play(emptyState('me'), { type: 'overlay', overlay }, { type: 'overlay-removed', op_id: 'o' })
    expect(state.overlays).toEqual([])
  })

  it('nothing is complete after a resync, and pages make it so again', () => {
    const { server, room, state } = opened()
    const message = server.send(room, 'ann', 'one')!
    const lost = play(state, { type: 'resync' })
    expect(lost.timelines[room]!.spans).toEqual([])
    const again = play(lost, { type: 'messages', room_id: room, anchor: {}, page: server.messages(room, {}) })
    expect(again.timelines[room]!.messages).toContainEqual(message)
  })

  it('the disk gets the end of a row that is complete, and no more', () => {
    const { server, room, state } = opened()
    for (let i = 0; i < 60; i++) server.send(room, 'ann', `m${i}`)
    const whole = play(state, { type: 'messages', room_id: room, anchor: {}, page: server.messages(room, {}, 100) })
    const tail = tailOf(whole.timelines[room]!)!
    expect(tail.messages).toHaveLength(40)
    expect(tail.spans).toEqual([{ from: tail.messages[0]!.sequence, to: Infinity }])
    expect(tailOf({ ...tail, spans: [] })).toBeNull()
  })
})

describe('unread', () => {
  it('counts others, drops with my marker, and comes back for new ones', () => {
    const { server, room, state, events } = opened()
    for (const who of ['ann', 'me', 'bo']) server.send(room, who, who)
    const live = play(state, ...events())
    expect(unreadOf(live, room)).toEqual({ unread: 2, mentions: 0 })
    const read = play(live, { type: 'read', room_id: room, read_sequence: 3 })
    expect(unreadOf(read, room).unread).toBe(0)
    server.send(room, 'ann', 'hey @me')
    expect(unreadOf(play(read, ...events()), room)).toEqual({ unread: 1, mentions: 1 })
  })

  it('what was counted and is deleted counts no more, also where the row is not known', () => {
    const { server, room } = opened()
    const [first, second] = [server.send(room, 'ann', 'hey @me')!, server.send(room, 'ann', 'and @me')!]
    const reply = server.send(room, 'bo', '@me too', first)!
    const gone = server.send(room, 'bo', 'gone before @me')!
    server.remove(gone)
    const listed = play(emptyState('me'), { type: 'rooms', rooms: server.myRooms(), asked: {} })
    const known = server.log.length
    expect(unreadOf(listed, room)).toEqual({ unread: 2, mentions: 3 })
    server.remove(second)
    server.remove(reply)
    const told = play(listed, ...server.log.slice(known - 1).map((event): Input => ({ type: 'event', event })))
    expect(unreadOf(told, room)).toEqual({ unread: 1, mentions: 1 })
    const again = play(told, { type: 'rooms', rooms: server.myRooms(), asked: told.memberships })
    expect(unreadOf(again, room)).toEqual({ unread: 1, mentions: 1 })
  })

  it('a duplicate counts once', () => {
    const { server, room, state, events } = opened()
    server.send(room, 'ann', 'hi')
    expect(unreadOf(play(state, ...events(), ...events(), ...events()), room).unread).toBe(1)
  })
})

describe('rooms', () => {
  it('are sorted by what happened last, and unchanged ones stay the same objects', () => {
    const { server, room, events } = opened()
    const other = server.createRoom('bo', ['me'])
    const state = play(emptyState('me'), { type: 'rooms', rooms: server.myRooms(), asked: {} })
    const summaries = roomSummaries()
    const before = summaries(state)
    server.send(room, 'ann', 'newest')
    const after = summaries(play(state, ...events()))
    expect(after.map((one) => one.id)).toEqual([room, other])
    expect(after[1]).toBe(before.find((one) => one.id === other))
  })

  it('are gone for whom left, and an old "you joined" does not bring them back', () => {
    const { server, room, state, events } = opened()
    server.leave(room, 'me')
    const left = play(state, ...events(), ...events().reverse())
    expect(roomSummaries()(left)).toEqual([])
  })

  it('a join and a leave hold by their version, wherever they stand in the log', () => {
    const { server, room, state } = opened()
    const commit = server.begin()
    const asked = server.myRooms()
    commit(() => server.leave(room, 'me'))
    const late = { type: 'event', event: server.log.at(-1)! } as const
    expect(late.event.name).toBe('room.left')
    const listed = play(state, { type: 'rooms', rooms: asked, asked: state.memberships })
    expect(Object.keys(play(listed, late).stays)).toEqual([])
    expect(Object.keys(play(listed, late, { type: 'rooms', rooms: asked, asked: {} }).stays)).toEqual([])
  })

  it('another stay begins a new row of messages, even when nobody told of the leave', () => {
    const { server, room, state } = opened()
    server.leave(room, 'me')
    server.send(room, 'ann', 'unheard')
    server.join(room, 'me')
    const joined = server.log.find(({ name, sequence }) => name === 'room.joined' && sequence > 5)!
    const back = play(state, { type: 'event', event: joined })
    expect(back.stays[room]).not.toBe(state.stays[room])
    expect(back.timelines[room]!.spans).toEqual([])
    const page = server.messages(room, {})
    const late: Input = { type: 'messages', room_id: room, anchor: {}, page, stay: state.stays[room] }
    expect(play(back, late).timelines[room]!.spans).toEqual([])
    expect(play(back, { ...late, stay: back.stays[room] }).timelines[room]!.spans).toHaveLength(1)
  })

  it('direct ones are called after the others', () => {
    const name = (id: string) => ({ me: 'Me', ann: 'Ann', bo: 'Bo' })[id]!
    const direct = (member_ids: string[]) => ({ kind: 'direct', name: null, member_ids }) as unknown as Room
    expect(roomTitle(direct(['me', 'ann']), 'me', name)).toBe('Ann')
    expect(roomTitle(direct(['me', 'ann', 'bo']), 'me', name)).toBe('Ann, Bo')
    expect(roomTitle(direct(['me']), 'me', name)).toBe('Me')
    expect(partnerOf(direct(['me', 'ann']), 'me')).toBe('ann')
    expect(partnerOf(direct(['me', 'ann', 'bo']), 'me')).toBeNull()
  })

  it('everybody has read what the slowest has read', () => {
    const state = { ...emptyState('me'), markers: { r: { me: 9, ann: 7, bo: 4 } } }
    expect(readByOthers(state, 'r', ['me', 'ann', 'bo'])).toBe(4)
    expect(readByOthers(state, 'r', ['me'])).toBe(0)
  })

  it('typing ends with the message, and by itself', () => {
    const { server, room, state } = opened()
    const typing: Input = { type: 'typing', room_id: room, user_id: 'ann', thread: null, typing: true, until: 100 }
    const seen = play(state, typing)
    expect(seen.typing[room]).toHaveLength(1)
    expect(play(seen, { type: 'typing-expired', now: 100 }).typing[room]).toEqual([])
    const message = server.send(room, 'ann', 'done')!
    expect(play(seen, { type: 'message', message }).typing[room]).toEqual([])
  })
})

describe('rows', () => {
  const at = (created_at: string, user_id = 'ann', kind = 'text') =>
    ({ id: created_at, client_id: null, sequence: 1, user_id, kind, created_at }) as unknown as Message

  it('one sender without a pause is one group', () => {
    const first = at('2026-03-01T10:00:00')
    expect(startsGroup(at('2026-03-01T10:01:00'), first, 'me')).toBe(false)
    expect(startsGroup(at('2026-03-01T10:06:00'), first, 'me')).toBe(true)
    expect(startsGroup(at('2026-03-01T10:01:00', 'bo'), first, 'me')).toBe(true)
    expect(startsGroup(at('2026-03-01T10:01:00'), at('2026-03-01T10:00:30', 'ann', 'system'), 'me')).toBe(true)
    expect(startsGroup(pending('r', 'c'), at('2026-01-01T00:00:00Z', 'me'), 'me')).toBe(false)
  })

  it('a day begins with its first message', () => {
    expect(startsDay(at('2026-03-02T00:01:00'), at('2026-03-01T23:59:00'))).toBe(true)
    expect(startsDay(at('2026-03-02T10:01:00'), at('2026-03-02T09:59:00'))).toBe(false)
    expect(startsDay(at('2026-03-02T10:01:00'), INTRO)).toBe(true)
  })

  it('a message keeps its key when it is confirmed', () => {
    const message = { ...at('2026-03-01T10:00:00'), client_id: 'c1' }
    expect(rowKey(pending('r', 'c1'))).toBe(rowKey(message))
  })
})

describe('news', () => {
  it('is young, not mine, and seen for the first time', () => {
    const { server, room, state } = opened()
    const message = server.send(room, 'ann', 'hi')!
    const now = Date.parse(message.created_at) + 1_000
    expect(isNews(state, message, now)).toBe(true)
    expect(isNews(play(state, { type: 'message', message }), message, now)).toBe(false)
    expect(isNews(state, message, now + 3_600_000)).toBe(false)
    expect(isNews(state, { ...message, user_id: 'me' }, now)).toBe(false)
  })

  it('is told as each room was set', () => {
    const { server, room, state } = opened()
    const plain = server.send(room, 'ann', 'hi')!
    const named = server.send(room, 'ann', 'hi @me')!
    const set = (notify: 'all' | 'mentions' | 'none') => play(state, { type: 'mine', room_id: room, changes: { notify } })
    expect([plain, named].map((one) => isWanted(set('all'), one))).toEqual([true, true])
    expect([plain, named].map((one) => isWanted(set('mentions'), one))).toEqual([false, true])
    expect([plain, named].map((one) => isWanted(set('none'), one))).toEqual([false, false])
  })
})
