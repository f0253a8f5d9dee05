import { shallowRef } from 'vue'
import { api, call } from '@/api/client'
import type { Meta } from '@/api/types'

/** What this server is like, for the pages before anyone signs in. No answer is no reason to complain there. */
export const meta = shallowRef<Meta | null>(null)

export async function loadMeta(): Promise<void> {
  if (meta.value) return
  meta.value = await call(api.GET('/api/v1/meta')).catch(() => null)
}
