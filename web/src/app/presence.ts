import { reactive } from 'vue'
import type { Id } from '@/api/types'

/** Who has the workspace open right now. The realtime part keeps it; avatars read it. */
export const onlineUsers = reactive(new Set<Id>())
