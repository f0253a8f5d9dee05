import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'

interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export interface Pages<T> {
  items: ShallowRef<T[] | null>
  error: ShallowRef<unknown>
  loading: Ref<boolean>
  /** There are more behind the last one. */
  hasMore: Ref<boolean>
  /** From the beginning. What is there stays until the answer comes. */
  load: () => Promise<void>
  more: () => Promise<void>
  /** What failed, once more. */
  retry: () => Promise<void>
}

/** A list that is read page by page, the newest answer wins. */
export function usePages<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Pages<T> {
  const items = shallowRef<T[] | null>(null)
  const error = shallowRef<unknown>(null)
  const loading = ref(false)
  const hasMore = ref(false)
  let next: string | null = null
  let asked: string | undefined
  let turn = 0

  async function ask(cursor: string | undefined): Promise<void> {
    const mine = ++turn
    asked = cursor
    loading.value = true
    try {
      const page = await read(cursor)
      if (mine !== turn) return
      items.value = cursor ? [...(items.value ?? []), ...page.items] : page.items
      next = page.next_cursor
      hasMore.value = next !== null
      error.value = null
    } catch (failed) {
      if (mine === turn) error.value = failed
    } finally {
      if (mine === turn) loading.value = false
    }
  }

  return { items, error, loading, hasMore, load: () => ask(undefined), more: () => ask(next ?? undefined), retry: () => ask(asked) }
}
