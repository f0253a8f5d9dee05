import { refDebounced, useDocumentVisibility } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import type { Source } from './source'
import type { ChannelFigures, ChannelPage, ChannelSort } from './types'

export const PER_PAGE = 50
export const DEEPEST = 900 // the server turns no further
const EVERY_MS = 2_000
const TYPING_MS = 250

export interface ChannelRow extends ChannelFigures {
  /** It was here a moment ago. */
  gone: boolean
}

/** The busiest channels of an app, asked again and again. While `held` (somebody points at a row) no row moves. */
export function useChannels(source: Source, app: Ref<string>, held: Ref<boolean>) {
  const search = ref('')
  const sort = ref<ChannelSort>('rate')
  const offset = ref(0)
  const page = shallowRef<ChannelPage | null>(null)
  const rows = shallowRef<ChannelRow[]>([])
  const error = shallowRef<unknown>(null)
  const asked = refDebounced(search, TYPING_MS)
  const visibility = useDocumentVisibility()
  const question = computed(() => ({ app: app.value, search: asked.value.trim(), sort: sort.value, offset: offset.value, limit: PER_PAGE }))

  let timer: ReturnType<typeof setTimeout> | undefined
  let turn = 0

  async function ask(): Promise<void> {
    clearTimeout(timer)
    const mine = ++turn
    const isNew = page.value === null
    try {
      const answer = await source.channels(question.value)
      if (mine !== turn) return
      rows.value = held.value && !isNew ? inPlace(rows.value, answer.items) : answer.items.map(present)
      page.value = answer
      error.value = null
    } catch (failed) {
      if (mine !== turn) return
      error.value = failed
    }
    if (visibility.value === 'visible') timer = setTimeout(ask, EVERY_MS)
  }

  watch([app, asked, sort], () => (offset.value = 0))
  watch(app, () => (search.value = ''))
  watch(
    question,
    (next, before) => {
      if (before && next.app === before.app && JSON.stringify(next) === JSON.stringify(before)) return
      page.value = null
      void ask()
    },
    { immediate: true },
  )
  watch(visibility, (seen) => seen === 'visible' && void ask())
  onScopeDispose(() => {
    turn++
    clearTimeout(timer)
  })

  return { search, sort, offset, page, rows, error, ask }
}

function present(row: ChannelFigures): ChannelRow {
  return { ...row, gone: false }
}

/** The same rows in the same order, with the newest figures; one that is no longer listed stays, marked. */
export function inPlace(shown: ChannelRow[], next: ChannelFigures[]): ChannelRow[] {
  const news = new Map(next.map((row) => [row.name, row]))
  return shown.map((row) => (news.has(row.name) ? present(news.get(row.name)!) : { ...row, gone: true }))
}
