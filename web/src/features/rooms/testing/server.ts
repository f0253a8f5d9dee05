/**
 * A small room server in memory, for tests: it keeps the truth, writes the event log and answers like the API. It implements
 * the contract, not the client's idea of it: what it counts, it counts anew from its rows.
 */
import type { LogEvent } from '../reducer'
import type { Id, Member, Membership, Message, MessagePage, PageAnchor, Room, RoomMember } from '../types'
import { counts, mentions } from '../unread'

interface Row {
  room: Room
  messages: Message[]
  members: Map<Id, RoomMember & { starred: boolean; version: number }>
}

/** Numbers that a transaction takes before its commit; what it doesn't need stays a gap, as in a real log. */
const NUMBERS = 16

let tick = Date.UTC(2026, 0, 1)
const now = () => new Date((tick += 1000)).toISOString()

export class SimulatedServer {
  readonly log: LogEvent[] = []
  readonly rows = new Map<Id, Row>()
  readonly directory = new Map<Id, Member>()
  private count = 0
  private reserved: number[] | null = null

  constructor(
    readonly me: Id,
    readonly users: Id[],
  ) {
    for (const id of users) {
      this.directory.set(id, {
        user_id: id, name: `Name ${id}`, email: `${id}@example.test`, role: 'agent', status: 'active',
        joined_at: now(), version: 1,
      })
    }
  }

  /**
   * Opens a transaction: the numbers of its events are taken now, what it does happens when the answer is called. A snapshot
   * taken in between has a cursor above them and nothing of what they tell.
   */
  begin(): (work: () => void) => void {
    const numbers = Array.from({ length: NUMBERS }, () => ++this.count)
    return (work) => {
      this.reserved = numbers
      work()
      this.reserved = null
    }
  }

  // --- actions

  createRoom(by: Id, members: Id[]): Id {
    const id = this.id('room')
    const at = now()
    const room: Room = {
      id, kind: 'room', name: id, topic: '', visibility: 'public', archived: false, created_by: by, created_at: at,
      member_count: 0, member_ids: null, last_sequence: 0, last_message: null, last_activity_at: at, version: 1, membership: null,
    }
    this.rows.set(id, { room, messages: [], members: new Map() })
    for (const member of new Set([by, ...members])) this.join(id, member)
    return id
  }

  join(roomId: Id, user: Id): void {
    const row = this.row(roomId)
    if (row.members.has(user)) return
    this.bump(row, { member_count: row.members.size + 1 })
    row.members.set(user, {
      user_id: user, role: row.members.size ? 'member' : 'owner', joined_at: now(), read_sequence: row.room.last_sequence, starred: false,
      version: row.room.version,
    })
    if (user === this.me) this.emit('room.joined', { room: this.mine(row) }, true)
    const { role } = row.members.get(user)!
    this.emit('room.member_joined', { ...this.move(row, user), role }, this.hears(row))
  }

  leave(roomId: Id, user: Id): void {
    const row = this.row(roomId)
    const gone = row.members.get(user)
    if (!gone) return
    row.members.delete(user)
    const heir = gone.role === 'owner' && [...row.members.values()][0]
    if (heir) {
      heir.role = 'owner'
      this.bump(row)
      this.touch(row, heir.user_id)
      this.emit('room.member_updated', { ...this.move(row, heir.user_id), role: 'owner' }, this.hears(row))
    }
    row.room = { ...row.room, version: Math.max(row.room.version, gone.version) }
    this.bump(row, { member_count: row.members.size })
    if (user === this.me) this.emit('room.left', { room_id: roomId, room_version: row.room.version }, true)
    this.emit('room.member_left', this.move(row, user), this.hears(row))
  }

  rename(roomId: Id, name: string): void {
    const row = this.row(roomId)
    this.bump(row, { name })
    this.emit('room.updated', { room: { ...row.room, membership: null } }, this.hears(row))
  }

  send(roomId: Id, user: Id, body: string, parent?: Message): Message | null {
    const row = this.row(roomId)
    if (!row.members.has(user) || (parent && !this.stands(parent))) return null
    const message: Message = {
      id: this.id('message'), client_id: this.id('client'), room_id: roomId, sequence: row.room.last_sequence + 1,
      user_id: user, kind: 'text', body, system: null, parent_id: parent?.id ?? null, quote: null,
      mentions: body.includes('@me') ? [this.me] : [], attachments: [], reactions: [], reply_count: 0,
      last_reply_at: null, reply_user_ids: [], created_at: now(), edited_at: null, deleted_at: null, version: 1,
    }
    row.messages.push(message)
    this.bump(row, { last_sequence: message.sequence })
    if (!parent) {
      const { id, user_id, kind, created_at } = message
      row.room = {
        ...row.room, last_activity_at: created_at, last_message: { id, user_id, kind, preview: body, attachments: 0, system: null, created_at },
      }
    }
    this.emit('message.sent', { message, client_id: message.client_id }, this.hears(row))
    if (parent) this.change(parent, (old) => ({ reply_count: old.reply_count + 1, last_reply_at: message.created_at }))
    return message
  }

  edit(message: Message, body: string): void {
    if (!this.stands(message)) return
    this.change(message, () => ({ body, edited_at: now() }))
  }

  remove(message: Message): void {
    const row = this.row(message.room_id)
    const old = row.messages.find((known) => known.id === message.id)!
    if (old.deleted_at) return
    const version = Math.max(row.room.version, old.version) + 1
    row.room = { ...row.room, version }
    this.change(message, () => ({ body: '', deleted_at: now(), reactions: [], version }))
  }

  react(message: Message, emoji: string, user: Id): void {
    if (!this.stands(message)) return
    this.change(message, () => ({ reactions: [{ emoji, user_ids: [user] }] }))
  }

  read(roomId: Id, user: Id, sequence: number): void {
    const row = this.row(roomId)
    const member = row.members.get(user)
    if (!member || sequence <= member.read_sequence) return
    member.read_sequence = Math.min(sequence, row.room.last_sequence)
    this.emit('room.read', { room_id: roomId, user_id: user, read_sequence: member.read_sequence }, this.hears(row))
    this.touch(row, user)
  }

  star(roomId: Id): void {
    const row = this.row(roomId)
    const member = row.members.get(this.me)
    if (!member) return
    member.starred = !member.starred
    this.touch(row, this.me)
  }

  renameMember(user: Id, name: string): void {
    const member = this.directory.get(user)!
    const next = { ...member, name, version: member.version + 1 }
    this.directory.set(user, next)
    this.emit('member.updated', { member: next }, true)
  }

  // --- answers

  myRooms(): Room[] {
    return [...this.rows.values()].filter((row) => row.members.has(this.me)).map((row) => this.mine(row))
  }

  messages(roomId: Id, anchor: PageAnchor, limit = 50): MessagePage {
    const all = this.row(roomId).messages.filter((message) => message.parent_id === null)
    const { before, after, around } = anchor
    let start = Math.max(0, all.length - limit)
    let end = all.length
    if (before !== undefined) {
      end = all.filter((message) => message.sequence < before).length
      start = Math.max(0, end - limit)
    } else if (after !== undefined) {
      start = all.filter((message) => message.sequence <= after).length
      end = Math.min(all.length, start + limit)
    } else if (around !== undefined) {
      const at = all.filter((message) => message.sequence < around).length
      start = Math.max(0, at - Math.floor(limit / 2))
      end = Math.min(all.length, start + limit)
    }
    return { items: all.slice(start, end), has_before: start > 0, has_after: end < all.length }
  }

  thread(parent: Message): { parent: Message; items: Message[]; has_after: boolean } {
    const row = this.row(parent.room_id)
    const now = row.messages.find((message) => message.id === parent.id)!
    return { parent: now, items: row.messages.filter((message) => message.parent_id === parent.id), has_after: false }
  }

  roomMembers(roomId: Id): RoomMember[] {
    return [...this.row(roomId).members.values()].map(({ user_id, role, joined_at, read_sequence }) => ({
      user_id, role, joined_at, read_sequence,
    }))
  }

  everyMessage(): Message[] {
    return [...this.rows.values()].flatMap((row) => row.messages)
  }

  // --- inside

  private row(id: Id): Row {
    return this.rows.get(id)!
  }

  private id(kind: string): Id {
    return `${kind}-${String(this.nextId++).padStart(6, '0')}`
  }
  private nextId = 1

  private stands(message: Message): boolean {
    return this.row(message.room_id).messages.find((known) => known.id === message.id)!.deleted_at === null
  }

  private hears(row: Row): boolean {
    return row.members.has(this.me)
  }

  private emit(name: string, data: Record<string, unknown>, heard: boolean): void {
    const sequence = this.reserved ? this.reserved.shift()! : ++this.count
    if (heard) this.log.push(structuredClone({ name, sequence, data: { ...data, sequence } }))
  }

  private bump(row: Row, changes: Partial<Room> = {}): void {
    row.room = { ...row.room, ...changes, version: row.room.version + 1 }
  }

  private change(message: Message, changes: (old: Message) => Partial<Message>): void {
    const row = this.row(message.room_id)
    const at = row.messages.findIndex((known) => known.id === message.id)
    const old = row.messages[at]!
    const next = { ...old, version: old.version + 1, ...changes(old) }
    row.messages[at] = next
    if (row.room.last_message?.id === next.id) {
      row.room = { ...row.room, last_message: { ...row.room.last_message, preview: next.body } }
    }
    this.emit('message.updated', { message: next }, this.hears(row))
  }

  private touch(row: Row, user: Id): void {
    const member = row.members.get(user)!
    member.version++
    if (user !== this.me) return
    const data = { room_id: row.room.id, membership: this.membership(row), version: member.version }
    const { last_sequence, version: room_version } = row.room
    this.emit('membership.updated', { ...data, last_sequence, room_version }, true)
  }

  private move(row: Row, user: Id): Record<string, unknown> {
    const { id, member_count, version } = row.room
    return { room_id: id, user_id: user, member_count, room_version: version }
  }

  private membership(row: Row): Membership {
    const member = row.members.get(this.me)!
    const unread = row.messages.filter((m) => m.sequence > member.read_sequence && counts(m, this.me))
    return {
      role: member.role, joined_at: member.joined_at, read_sequence: member.read_sequence,
      unread: unread.filter((m) => m.parent_id === null).length,
      mentions: unread.filter((m) => mentions(m, this.me)).length,
      starred: member.starred, notify: 'all', version: member.version,
    }
  }

  private mine(row: Row): Room {
    return { ...row.room, membership: this.membership(row) }
  }
}
