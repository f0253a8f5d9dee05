import { computed, onScopeDispose, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useFormat } from '@/app/format'
import { useRooms } from '../store'
import type { Id } from '../types'
import { usePeople } from './useRoom'

/** Others forget it after 6 s; repeated twice as often it survives one loss. */
const REPEAT_MS = 3_000

/** Who is typing, in words; '' for nobody. */
export function useTypists(roomId: Ref<Id>, thread: Ref<Id | null>) {
  const rooms = useRooms()
  const { t } = useI18n()
  const { nameOf } = usePeople()
  const format = useFormat()
  return computed(() => {
    const here = (rooms.state.typing[roomId.value] ?? []).filter((typist) => typist.thread === thread.value)
    if (here.length === 0) return ''
    if (here.length > 3) return t('rooms.typing.many')
    return t('rooms.typing.some', { names: format.list(here.map((one) => nameOf(one.user_id))) }, here.length)
  })
}

/** Tells the others that I am typing. */
export function useTypingSignal(roomId: Ref<Id>, thread: Ref<Id | null>) {
  const rooms = useRooms()
  let last = 0

  function say(typing: boolean): void {
    const stream = rooms.connected?.stream()
    const data = thread.value ? { thread: thread.value, typing } : { typing }
    stream?.whisper(`presence-chat.${roomId.value}`, 'client-typing', data)
  }

  function typing(): void {
    if (Date.now() - last < REPEAT_MS) return
    last = Date.now()
    say(true)
  }

  function stopped(): void {
    if (last === 0) return
    last = 0
    say(false)
  }

  onScopeDispose(stopped)
  return { typing, stopped }
}
