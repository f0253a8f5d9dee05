// F-RO-03, F-UI-03: snapshot + events in any order, with duplicates = fresh snapshot
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apply, applyAll, type Input, type LogEvent } from './reducer'
import { roomSummaries } from './selectors'
import { emptyState, type RoomsState } from './state'
import { SimulatedServer } from './testing/server'
import { EMPTY_TIMELINE, liveSpan, slice } from './timeline'
import type { Id } from './types'

const ME = 'me'
const USERS = [ME, 'ann', 'bo']

type Action =
  | { do: 'send'; room: number; user: number; mention: boolean }
  | { do: 'reply'; at: number; user: number; mention: boolean }
  | { do: 'edit' | 'remove' | 'react'; at: number }
  | { do: 'read'; room: number; user: number; back: number }
  | { do: 'join' | 'leave'; room: number; user: number }
  | { do: 'rename' | 'star'; room: number }
  | { do: 'person'; user: number }

const room = fc.nat(2)
const user = fc.nat(2)
const at = fc.nat(1000)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), room, user, mention: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reply' as const), at, user, mention: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('edit' as const, 'remove' as const, 'react' as const), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), room, user, back: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('join' as const, 'leave' as const), room, user }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), room }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('star' as const), room }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('person' as const), user }) },
)

function newServer(): { server: SimulatedServer; rooms: Id[] } {
  const server = new SimulatedServer(ME, USERS)
  const rooms = [server.createRoom('ann', USERS), server.createRoom(ME, ['bo']), server.createRoom('bo', ['ann'])]
  return { server, rooms }
}

function act(server: SimulatedServer, rooms: Id[], step: Action, n: number): void {
  const text = 'mention' in step && step.mention ? `hello @me ${n}` : `hello ${n}`
  if ('at' in step) {
    const all = server.everyMessage().filter((m) => step.do !== 'reply' || m.parent_id === null)
    const message = all[step.at % Math.max(1, all.length)]
    if (!message) return
    if (step.do === 'reply') server.send(message.room_id, USERS[step.user]!, text, message)
    else if (step.do === 'edit') server.edit(message, `edited ${n}`)
    else if (step.do === 'remove') server.remove(message)
    else server.react(message, '👍', 'ann')
    return
  }
  const who = 'user' in step ? USERS[step.user]! : ME
  if (step.do === 'person') return server.renameMember(who, `Person ${n}`)
  const id = rooms[step.room]!
  if (step.do === 'send') server.send(id, who, text)
  else if (step.do === 'read') server.read(id, who, server.rows.get(id)!.room.last_sequence - step.back)
  else if (step.do === 'join') server.join(id, who)
  else if (step.do === 'leave') server.leave(id, who)
  else if (step.do === 'rename') server.rename(id, `room ${n}`)
  else server.star(id)
}

/** Everything a page load would fetch, by a page that knows this already. */
function snapshot(server: SimulatedServer, pageSize: number, { memberships: asked } = emptyState(ME)): Input[] {
  const items = server.myRooms()
  return [
    { type: 'rooms', rooms: items, asked },
    { type: 'directory', members: [...server.directory.values()] },
    ...items.flatMap((item): Input[] => [
      { type: 'messages', room_id: item.id, anchor: {}, page: server.messages(item.id, {}, pageSize), stay: item.membership!.joined_at },
      { type: 'room-members', room_id: item.id, items: server.roomMembers(item.id), room_version: item.version, stay: item.membership!.joined_at },
    ]),
  ]
}

const play = (state: RoomsState, inputs: Input[]) => inputs.reduce(apply, state)
const asEvents = (events: LogEvent[]): Input[] => events.map((event) => ({ type: 'event', event }))

/** Transactions that have taken the numbers of their events and are not committed; answers what commits them. */
function begin(server: SimulatedServer, rooms: Id[], steps: Action[]): () => void {
  const open = steps.map((step, n) => ({ commit: server.begin(), work: () => act(server, rooms, step, n + 500) }))
  return () => open.forEach(({ commit, work }) => commit(work))
}

/** The log overlaps the snapshot on purpose, some events come twice, and they come in any order. */
function shuffled(events: LogEvent[], next: () => number): Input[] {
  const doubled = events.flatMap((event) => (next() % 3 === 0 ? [event, event] : [event]))
  return asEvents(doubled.map((event) => ({ event, key: next() })).sort((a, b) => a.key - b.key).map(({ event }) => event))
}


/** What a person sees of my rooms. */
function view(state: RoomsState, { from, lists }: Common) {
  const summaries = roomSummaries()(state)
  return {
    directory: state.directory,
    rooms: Object.fromEntries(
      summaries.map(({ room, last, ...rest }) => {
        const timeline = state.timelines[room.id] ?? EMPTY_TIMELINE
        const seen = timeline.messages.filter((message) => message.sequence >= (from[room.id] ?? Infinity))
        // What the last line reads is certain where the row is; an edit made while I was out of the room may be missing.
        const preview = Number.isFinite(from[room.id] ?? Infinity) ? (last?.preview ?? '') : ''
        const markers = state.markers[room.id] ?? {}
        return [
          room.id,
          {
            ...rest,
            name: room.name,
            last: last && { ...last, preview, message: null },
            seen,
            mine: markers[ME] ?? 0,
            people: lists.has(room.id) ? people(state, room.id) : [],
          },
        ]
      }),
    ),
  }
}

function people(state: RoomsState, id: Id): string[] {
  const present = Object.values(state.roomMembers[id]!.byUser).filter((entry) => entry.present)
  return present.map(({ member }) => `${member.user_id} ${member.role}`).sort()
}

/** What both sides know everything of: messages from a sequence on, lists of members. */
interface Common {
  from: Record<Id, number>
  lists: Set<Id>
}

function common(...states: RoomsState[]): Common {
  const from: Record<Id, number> = {}
  for (const id of Object.keys(states[0]!.timelines)) {
    const spans = states.map((state) => liveSpan(state.timelines[id] ?? EMPTY_TIMELINE)?.from ?? Infinity)
    from[id] = Math.max(...spans)
  }
  const ids = Object.keys(states[0]!.roomMembers)
  return { from, lists: new Set(ids.filter((id) => states.every((state) => state.roomMembers[id]?.loaded))) }
}

describe('snapshot + events', () => {
  it('is the fresh snapshot, whatever the order and however often events arrive', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 40 }),
        fc.array(action, { maxLength: 5 }),
        fc.array(action, { maxLength: 40 }),
        fc.constantFrom(3, 50),
        fc.infiniteStream(fc.nat(1_000_000)),
        (before, late, after, pageSize, random) => {
          const { server, rooms } = newServer()
          before.forEach((step, n) => act(server, rooms, step, n))
          const commit = begin(server, rooms, late)
          const start = snapshot(server, pageSize)
          const known = server.log.length
          commit()
          after.forEach((step, n) => act(server, rooms, step, n + 1000))

          const untouched = structuredClone(play(emptyState(ME), start))
          const loaded = play(emptyState(ME), start)
          const inputs = shuffled(server.log.slice(Math.max(0, known - 10)), () => random.next().value as number)
          const live = play(loaded, inputs)
          // In one go it is the same, and what was there before stays as it was.
          expect(applyAll(loaded, inputs)).toEqual(live)
          expect(loaded).toEqual(untouched)
          const fresh = play(emptyState(ME), snapshot(server, pageSize))
          const shared = common(fresh, live)
          expect(view(live, shared)).toEqual(view(fresh, shared))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('holds too when the snapshot is asked for after the events began to arrive', () => {
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 1, maxLength: 30 }),
        fc.array(action, { maxLength: 30 }),
        (before, after) => {
          const { server, rooms } = newServer()
          before.forEach((step, n) => act(server, rooms, step, n))
          const start = snapshot(server, 50)
          after.forEach((step, n) => act(server, rooms, step, n + 1000))
          const live = play(emptyState(ME), [...asEvents(server.log), ...start, ...asEvents(server.log)])
          const fresh = play(emptyState(ME), snapshot(server, 50))
          const shared = common(fresh, live)
          expect(view(live, shared)).toEqual(view(fresh, shared))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('holds after a long absence, of which no events are left', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 20 }),
        fc.array(action, { maxLength: 20 }),
        fc.array(action, { maxLength: 5 }),
        fc.array(action, { maxLength: 20 }),
        fc.infiniteStream(fc.nat(1_000_000)),
        (before, missed, late, after, random) => {
          const { server, rooms } = newServer()
          before.forEach((step, n) => act(server, rooms, step, n))
          const old = play(emptyState(ME), snapshot(server, 50))
          missed.forEach((step, n) => act(server, rooms, step, n + 200))
          const commit = begin(server, rooms, late)
          const known = server.log.length
          const again = snapshot(server, 50, old)
          commit()
          after.forEach((step, n) => act(server, rooms, step, n + 1000))

          const overlap = shuffled(server.log.slice(Math.max(0, known - 4)), () => random.next().value as number)
          const live = play(old, [{ type: 'resync' }, ...again, ...overlap])
          const fresh = play(emptyState(ME), snapshot(server, 50))
          const shared = common(fresh, live)
          expect(view(live, shared)).toEqual(view(fresh, shared))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('a list that was on its way takes nothing back that came meanwhile', () => {
    const { server, rooms } = newServer()
    const asked = play(emptyState(ME), snapshot(server, 50))
    const list = snapshot(server, 50, asked)
    server.leave(rooms[1]!, ME)
    server.join(rooms[2]!, ME)
    const told = play(asked, asEvents(server.log))
    expect(Object.keys(play(told, list).stays).sort()).toEqual([rooms[0], rooms[2]])
  })

  it('pages in any order make one row without gaps', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 7 }), fc.array(fc.nat(60), { maxLength: 12 }), (n, size, asks) => {
        const { server, rooms } = newServer()
        const id = rooms[0]!
        for (let i = 0; i < n; i++) {
          const message = server.send(id, 'ann', `m${i}`)!
          if (i % 4 === 0) server.send(id, 'bo', 'reply', message)
        }
        let state = emptyState(ME)
        for (const [i, sequence] of asks.entries()) {
          const anchor = [{ around: sequence }, { before: sequence }, { after: sequence }, {}][i % 4]!
          state = apply(state, { type: 'messages', room_id: id, anchor, page: server.messages(id, anchor, size) })
        }
        const timeline = state.timelines[id] ?? EMPTY_TIMELINE
        const all = server.messages(id, {}, 1000).items
        for (const span of timeline.spans) {
          const truth = all.filter((m) => m.sequence >= span.from && m.sequence <= span.to)
          expect(slice(timeline, span)).toEqual(truth)
        }
      }),
      { numRuns: 300 },
    )
  })
})
