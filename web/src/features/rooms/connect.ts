/** Opens the rooms of a workspace: disk, list, socket, outbox. */
import { watch } from 'vue'
import { live, waiting } from '@/app/connection'
import { i18n } from '@/app/i18n'
import { useSession } from '@/app/session'
import { useWorkspace } from '@/app/workspace'
import { isApiError } from '@/api/error'
import type { Member as ApiMember, Workspace } from '@/api/types'
import { leadBy, openDatabase, openDrafts, Outbox, wipe, type Database, type Job, type JobStore } from '@/offline'
import type { StreamEvent } from '@/realtime/catchup'
import { backoff } from '@/realtime/backoff'
import type { Frame } from '@/realtime/connection'
import { WorkspaceStream } from '@/realtime/stream'
import { toast } from '@/ui/toast'
import { roomsApi, type RoomsApi } from './api'
import { announce } from './announce'
import { cacheWriter, keepCache, loadCache } from './cache'
import { inputOf, judge, perform, withdrawalOf, type Operation } from './operations'
import type { Input } from './reducer'
import { useRooms } from './store'
import type { Message } from './types'
import { upload } from './uploads'

const CHANNEL = 'presence-chat.'
/** A typing signal is repeated every 3 s; two lost ones end it. */
const TYPING_MS = 6_000

export function connectRooms(workspace: { id: string }): () => void {
  const { user, realtime } = useSession()
  if (!user || !realtime) return () => undefined
  const rooms = useRooms()
  const api = roomsApi(workspace.id)
  const ends: (() => void)[] = []
  let stream: WorkspaceStream | null = null
  let stopped = false
  rooms.reset(user.id)
  const session = useSession()
  ends.push(session.$onAction(({ name, after }) => name === 'signOut' && after(() => wipe())))

  const drafts = openDrafts(user.id, workspace.id)
  const abort = new AbortController()
  ends.push(() => abort.abort())

  async function begin(): Promise<void> {
    void wipe(user!.id)
    const database = await openDatabase(user!.id, workspace.id)
    const cached = database && (await loadCache(database))
    if (stopped) return database?.close()
    if (cached) rooms.dispatch({ type: 'restored', state: cached.state })
    if (database) {
      ends.push(() => database.close())
      ends.push(keepCache(cacheWriter(database), () => rooms.state, () => stream?.cursor ?? null))
    }

    const outbox = openOutbox(api, `${user!.id}/${workspace.id}`, database, abort.signal)
    ends.push(() => outbox.stop())
    rooms.connected = { api, drafts, outbox, stream: () => stream }
    rooms.dispatch(...(await outbox.start()).map(inputOf))
    ends.push(watch(live, (now) => now === 'live' && outbox.kick()))
    await open(cached?.cursor ?? null)
  }

  /** The list first: its rooms are the channels. Without a network, what the disk has does too. */
  async function open(cursor: number | null): Promise<void> {
    for (let attempt = 0; !stopped; attempt++) {
      try {
        const asked = rooms.state.memberships
        const list = await api.rooms()
        if (stopped) return
        rooms.error = null
        rooms.dispatch({ type: 'rooms', rooms: list.items, asked })
        if (!stream) listen(cursor ?? list.cursor)
        return
      } catch (error) {
        if (!rooms.ready) rooms.error = error
        if (cursor !== null && !stream) listen(cursor)
        if (isApiError(error) && !error.retryable) {
          rooms.again = () => void open(cursor)
          return
        }
        await pause(backoff(attempt), abort.signal)
      }
    }
  }

  function listen(cursor: number): void {
    stream = new WorkspaceStream({
      workspace: workspace.id,
      user: user!.id,
      realtime: realtime!,
      cursor,
      consumer: { apply, resync: () => resync(api), onWhisper: whispered, onRevoked: (channel) => void revoked(api, channel) },
      onRefused: asked,
    })
    ends.push(() => stream?.stop(), followRooms(stream))
  }

  ends.push(followDirectory(), expireTyping())
  void begin()
  return () => {
    stopped = true
    rooms.connected = null
    for (const end of ends.reverse()) end()
    waiting.value = 0
    rooms.reset('')
  }
}

function apply(events: StreamEvent[]): void {
  const rooms = useRooms()
  const workspace = useWorkspace()
  const before = rooms.state
  rooms.dispatch(...events.map((event): Input => ({ type: 'event', event })))
  for (const { name, data } of events) {
    if (name.startsWith('member.')) workspace.applyMember(data.member as ApiMember)
    else if (name === 'workspace.updated') workspace.applyWorkspace(data.workspace as Workspace)
    else if (name === 'message.sent') announce(before, data.message as Message)
  }
}

/** Everything that is shown, read anew and put in place at once. */
async function resync(api: RoomsApi): Promise<number> {
  const rooms = useRooms()
  const asked = rooms.state.memberships
  const [list, pages] = await Promise.all([api.rooms(), Promise.all([...rooms.reloads].map((reload) => reload()))])
  rooms.dispatch({ type: 'resync' }, { type: 'rooms', rooms: list.items, asked }, ...pages.flat())
  return list.cursor
}

function whispered(frame: Frame): void {
  if (frame.event !== 'client-typing' || !frame.channel.startsWith(CHANNEL) || !frame.userId) return
  const data = (frame.data ?? {}) as { thread?: unknown; typing?: unknown }
  useRooms().dispatch({
    type: 'typing',
    room_id: frame.channel.slice(CHANNEL.length),
    user_id: frame.userId,
    thread: typeof data.thread === 'string' ? data.thread : null,
    typing: data.typing === true,
    until: Date.now() + TYPING_MS,
  })
}

/** The server says no to a channel: is the room still mine? */
async function revoked(api: RoomsApi, channel: string): Promise<void> {
  if (!channel.startsWith(CHANNEL)) return void (await asked())
  const id = channel.slice(CHANNEL.length)
  try {
    const room = await api.room(id)
    useRooms().dispatch(room.membership ? { type: 'room', room } : { type: 'left', room_id: id })
  } catch (error) {
    if (isApiError(error) && (error.kind === 'forbidden' || error.kind === 'not_found')) {
      useRooms().dispatch({ type: 'left', room_id: id })
    }
  }
}

/** The socket was closed for good. The API knows why: a 401 leads to the sign-in page, a suspended workspace to its own. */
async function asked(): Promise<boolean> {
  try {
    await useWorkspace().refresh()
    return useSession().signedIn
  } catch (error) {
    return isApiError(error) && error.kind !== 'unauthenticated'
  }
}

function followRooms(stream: WorkspaceStream): () => void {
  const rooms = useRooms()
  const mine = new Set<string>()
  return watch(
    () => rooms.state.stays,
    (stays) => {
      for (const id of mine) {
        if (id in stays) continue
        mine.delete(id)
        stream.unsubscribe(CHANNEL + id)
      }
      for (const id of Object.keys(stays)) {
        if (mine.has(id)) continue
        mine.add(id)
        stream.subscribe(CHANNEL + id)
      }
    },
    { immediate: true },
  )
}

function followDirectory(): () => void {
  const workspace = useWorkspace()
  return watch(
    () => [...workspace.members.values()],
    (members) => members.length && useRooms().dispatch({ type: 'directory', members }),
    { immediate: true },
  )
}

function expireTyping(): () => void {
  const timer = setInterval(() => useRooms().dispatch({ type: 'typing-expired', now: Date.now() }), 1_000)
  return () => clearInterval(timer)
}

function openOutbox(api: RoomsApi, scope: string, database: Database | null, signal: AbortSignal): Outbox<Operation> {
  const rooms = useRooms()
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(`kanal.outbox/${scope}`)
  return new Outbox<Operation>({
    store: database ? diskStore(database) : memoryStore(),
    perform: (job, keep) =>
      perform(api, job, (id, file) => upload(api, id, file), async (payload) => {
        await keep(payload)
        if (payload.kind === 'send') rooms.dispatch({ type: 'pending', message: payload.message })
      }),
    judge,
    onDone: (job, result) => rooms.dispatch({ type: 'message', message: result as Message }, withdrawalOf(job)),
    onRefused(job, failure) {
      if (job.payload.kind === 'send') {
        rooms.dispatch({ type: 'pending-failed', client_id: job.id, failure })
        return true
      }
      rooms.dispatch(withdrawalOf(job))
      const t = i18n.global.t
      toast(failure.message || t(`rooms.failed.${job.payload.change.kind}`), { tone: 'danger' })
      return false
    },
    onCount: (count) => (waiting.value = count),
    lead: leadBy(`kanal.outbox/${scope}`, signal),
    channel,
  })
}

function diskStore(database: Database): JobStore<Operation> {
  return {
    all: async () => (await database.getAll('outbox')) as Job<Operation>[],
    put: async (job) => void (await database.put('outbox', job)),
    remove: (id) => database.delete('outbox', id),
  }
}

function memoryStore(): JobStore<Operation> {
  const jobs = new Map<string, Job<Operation>>()
  return {
    all: () => Promise.resolve([...jobs.values()]),
    put: (job) => Promise.resolve(void jobs.set(job.id, job)),
    remove: (id) => Promise.resolve(void jobs.delete(id)),
  }
}

/** Ends early when the network is back or somebody presses "try again". */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    useRooms().again = done
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      window.removeEventListener('online', done)
      resolve()
    }
    window.addEventListener('online', done, { once: true })
    signal.addEventListener('abort', done, { once: true })
  })
}
