import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useWorkspace } from '@/app/workspace'
import { roomTitle } from '../names'
import { ranked } from '../search'
import type { RoomSummary } from '../selectors'
import { useRooms } from '../store'
import { usePeople } from './useRoom'

export interface SectionRow {
  key: string
  heading?: string
  summary?: RoomSummary
  href?: string
}

/** The list of rooms as it is shown: starred, rooms, direct messages; filtered, the best match first. */
export function useRoomSections(filter: Ref<string>) {
  const { t } = useI18n()
  const rooms = useRooms()
  const router = useRouter()
  const workspace = useWorkspace()
  const { nameOf } = usePeople()
  const base = computed(() => router.resolve({ name: 'rooms', params: { slug: workspace.slug ?? '-' } }).href)

  const line = (section: string) => (summary: RoomSummary): SectionRow => ({
    key: `${section}/${summary.id}`,
    summary,
    href: `${base.value}/${summary.id}`,
  })

  return computed<SectionRow[]>(() => {
    if (filter.value.trim()) {
      const found = ranked(rooms.summaries, filter.value, (one) => roomTitle(one.room, rooms.state.me, nameOf))
      return found.map(line('found'))
    }
    const sections: [string, string, RoomSummary[]][] = [
      ['starred', t('rooms.section.starred'), rooms.summaries.filter((one) => one.starred)],
      ['rooms', t('rooms.section.rooms'), rooms.summaries.filter((one) => !one.starred && one.room.kind === 'room')],
      ['direct', t('rooms.section.direct'), rooms.summaries.filter((one) => !one.starred && one.room.kind === 'direct')],
    ]
    return sections.flatMap(([id, heading, list]) => (list.length ? [{ key: id, heading }, ...list.map(line(id))] : []))
  })
}
