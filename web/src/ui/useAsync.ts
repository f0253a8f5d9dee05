import { onMounted, onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { isApiError, isAbort } from '@/api/error'

export interface Loaded<T> {
  data: ShallowRef<T | null>
  error: ShallowRef<unknown>
  loading: Ref<boolean>
  load: () => Promise<void>
}

/** Loads when the page opens, again on demand, and by itself when the connection is back after it failed. */
export function useAsync<T>(read: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null)
  const error = shallowRef<unknown>(null)
  const loading = ref(false)
  let turn = 0

  async function load(): Promise<void> {
    const mine = ++turn
    loading.value = true
    try {
      const answer = await read()
      if (mine !== turn) return // a later question was asked meanwhile
      data.value = answer
      error.value = null
    } catch (failed) {
      if (mine === turn && !isAbort(failed)) error.value = failed
    } finally {
      if (mine === turn) loading.value = false
    }
  }

  const onOnline = () => {
    if (isApiError(error.value) && error.value.retryable) void load()
  }
  onMounted(() => {
    void load()
    window.addEventListener('online', onOnline)
  })
  onScopeDispose(() => window.removeEventListener('online', onOnline))

  return { data, error, loading, load }
}
