export { openDatabase, wipeCaches, type Database } from './database'
export { openDrafts, type Drafts } from './drafts'
export { Outbox, type Job, type JobStore, type Verdict } from './outbox'
export { uuid } from './uuid'
import { wipeDatabases } from './database'
import { wipeDrafts } from './drafts'

/** Leaves nothing behind in this browser; with a user, nothing of anybody else. */
export async function wipe(keepUser?: string): Promise<void> {
  wipeDrafts(keepUser)
  await wipeDatabases(keepUser)
}

/** Runs `hold` in one tab at a time. Where the browser has no locks (plain http) every tab does; the server sorts it out. */
export function leadBy(name: string, signal: AbortSignal): (hold: () => Promise<void>) => void {
  return (hold) => {
    if (!navigator.locks) return void hold()
    navigator.locks.request(name, { signal }, hold).catch(() => undefined)
  }
}
