/**
 * Records that are never changed, without copying ten thousand entries for each of ten thousand rooms: inside `together` a
 * record is copied once, and the copy, which nobody else has seen yet, takes all further changes.
 */
let fresh: WeakSet<object> | null = null

export function together<T>(work: () => T): T {
  if (fresh) return work()
  fresh = new WeakSet()
  try {
    return work()
  } finally {
    fresh = null
  }
}

type Records<T> = Readonly<Record<string, T>>

export function put<T>(record: Records<T>, key: string, value: T): Records<T> {
  const own = ours(record)
  own[key] = value
  return own
}

export function drop<T>(record: Records<T>, key: string): Records<T> {
  if (!(key in record)) return record
  const own = ours(record)
  delete own[key]
  return own
}

function ours<T>(record: Records<T>): Record<string, T> {
  if (fresh?.has(record)) return record
  const copy = { ...record }
  fresh?.add(copy)
  return copy
}
