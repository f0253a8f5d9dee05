import { nextTick, ref, watch, type Ref } from 'vue'
import { inChord } from '@/app/shortcuts'
import { isSpecial, rowKey, type Row } from '../rows'

/** Arrow keys walk through messages; letters do something with the one they stand on. */
export function useListKeys(options: {
  rows: () => readonly Row[]
  scrollTo: (index: number) => void
  box: Ref<HTMLElement | null>
  onCommand: (key: string, row: Row) => void
}) {
  const active = ref(-1)

  // The last one is where Tab lands, until keys or clicks choose another, which stays chosen wherever it moves.
  watch(
    options.rows,
    (rows, before = []) => {
      const stood = before[active.value]
      const last = rows.length - 1
      if (!stood || active.value === before.length - 1) active.value = last
      else if (!rows[active.value] || rowKey(rows[active.value]!) !== rowKey(stood)) {
        const moved = rows.findIndex((row) => rowKey(row) === rowKey(stood))
        active.value = moved >= 0 ? moved : Math.min(active.value, last)
      }
    },
    { immediate: true },
  )

  async function focusRow(index: number): Promise<void> {
    const rows = options.rows()
    if (rows.length === 0) return
    const lowest = isSpecial(rows[0]) && rows.length > 1 ? 1 : 0
    active.value = Math.max(lowest, Math.min(rows.length - 1, index))
    options.scrollTo(active.value)
    await nextTick()
    requestAnimationFrame(() => {
      options.box.value
        ?.querySelector<HTMLElement>(`[data-row="${active.value}"] [data-message]`)
        ?.focus({ preventScroll: true })
    })
  }

  function onKeydown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement
    if (!target.hasAttribute('data-message') || event.ctrlKey || event.metaKey || event.altKey || inChord()) return
    const row = options.rows()[active.value]
    if (event.key === 'ArrowUp') void focusRow(active.value - 1)
    else if (event.key === 'ArrowDown') void focusRow(active.value + 1)
    else if (event.key === 'Home') void focusRow(0)
    else if (event.key === 'End') void focusRow(options.rows().length - 1)
    else if (row && ['Enter', 't', 'q', 'e', 'r', 'Delete', 'c', 'm'].includes(event.key)) options.onCommand(event.key, row)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  return { active, focusRow, onKeydown }
}
