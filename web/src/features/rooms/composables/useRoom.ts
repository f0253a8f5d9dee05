import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { onlineUsers } from '@/app/presence'
import { useWorkspace } from '@/app/workspace'
import { partnerOf, roomTitle } from '../names'
import { useRooms } from '../store'
import type { Id } from '../types'

/** Names of people, with words for those who are unknown. */
export function usePeople() {
  const rooms = useRooms()
  const { t } = useI18n()
  const nameOf = (id: Id): string =>
    id === 'all' ? t('rooms.mention.all') : (rooms.member(id)?.name ?? t('rooms.someone'))
  const person = (id: Id) => ({ id, name: nameOf(id), me: id === rooms.state.me })
  return { nameOf, person }
}

/** One of my rooms, with what I may do in it. */
export function useRoom(roomId: Ref<Id>) {
  const rooms = useRooms()
  const workspace = useWorkspace()
  const { nameOf } = usePeople()

  const summary = computed(() => rooms.summary(roomId.value))
  const room = computed(() => summary.value?.room)
  const me = computed(() => rooms.state.me)
  const title = computed(() => (room.value ? roomTitle(room.value, me.value, nameOf) : ''))
  const isDirect = computed(() => room.value?.kind === 'direct')
  const partner = computed(() => (room.value ? partnerOf(room.value, me.value) : null))
  const partnerOnline = computed(() => (partner.value ? onlineUsers.has(partner.value) : null))

  const canWrite = computed(() => Boolean(summary.value) && !room.value!.archived && workspace.may('agent'))
  const isOwner = computed(() => summary.value?.role === 'owner' || workspace.may('admin'))
  const canManage = computed(() => isOwner.value && workspace.may('agent') && !isDirect.value)
  const canInvite = computed(() => canWrite.value && !isDirect.value)

  return { summary, room, me, title, isDirect, partner, partnerOnline, canWrite, canManage, canInvite }
}
