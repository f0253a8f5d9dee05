/** What stays in this browser of one workspace for one person. Signing out removes all of it. */
import { deleteDB, openDB, type DBSchema, type IDBPDatabase, type OpenDBCallbacks } from 'idb'
import type { Job } from './outbox'

interface Schema extends DBSchema {
  /** snapshots of feature state, by name */
  cache: { key: string; value: unknown }
  /** what waits to be sent, in the order it was written */
  outbox: { key: string; value: Job }
}

export type Database = IDBPDatabase<Schema>

const PREFIX = 'kanal/'
const REGISTER = 'kanal.databases'
/** A changed shape of the cache is thrown away, never migrated; the outbox is kept. */
const VERSION = 2

export const databaseName = (user: string, workspace: string) => `${PREFIX}${user}/${workspace}`

/** null where the browser has no database for us (private mode, full disk): everything still works while the page is open. */
export async function openDatabase(user: string, workspace: string): Promise<Database | null> {
  const name = databaseName(user, workspace)
  try {
    const database = await openDB<Schema>(name, VERSION, {
      upgrade(db) {
        if (!db.objectStoreNames.contains('outbox')) db.createObjectStore('outbox', { keyPath: 'id' })
        if (db.objectStoreNames.contains('cache')) db.deleteObjectStore('cache')
        db.createObjectStore('cache')
      },
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    })
    remember(name)
    return database
  } catch {
    return null
  }
}

/** Everything, or only what belongs to somebody else who used this browser before. */
export async function wipeDatabases(keepUser?: string): Promise<void> {
  const names = await known()
  const kept = keepUser ? `${PREFIX}${keepUser}/` : null
  const doomed = names.filter((name) => !kept || !name.startsWith(kept))
  await Promise.allSettled(doomed.map((name) => deleteDB(name)))
  write(names.filter((name) => !doomed.includes(name)))
}

/** What was read, not what was written: a session that ran out must not cost anybody their unsent messages. */
export async function wipeCaches(): Promise<void> {
  for (const name of await known()) {
    // One that is being removed meanwhile must not be made again, without a shape.
    const database = await openDB<Schema>(name, undefined, { upgrade: refuseToMake }).catch(() => null)
    if (database?.objectStoreNames.contains('cache')) await database.clear('cache').catch(() => undefined)
    database?.close()
  }
}

function refuseToMake(...[, , , making]: Parameters<NonNullable<OpenDBCallbacks<Schema>['upgrade']>>): void {
  making.done.catch(() => undefined)
  making.abort()
}

async function known(): Promise<string[]> {
  const listed = (await indexedDB.databases?.().catch(() => [])) ?? []
  const named = listed.map((one) => one.name ?? '').filter((name) => name.startsWith(PREFIX))
  return [...new Set([...named, ...read()])]
}

function remember(name: string): void {
  if (!read().includes(name)) write([...read(), name])
}

function read(): string[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(REGISTER) ?? '[]')
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}

function write(names: string[]): void {
  try {
    localStorage.setItem(REGISTER, JSON.stringify(names))
  } catch {
    // full or forbidden: indexedDB.databases() still knows them
  }
}
