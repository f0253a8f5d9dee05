import { ref, type Ref } from 'vue'

/** Files dragged from outside, anywhere over the element. Text and links dragged within the page are left alone. */
export function useFileDrop(onFiles: (files: File[]) => void, allowed: Ref<boolean>) {
  const over = ref(false)
  let depth = 0
  const carries = (event: DragEvent) => allowed.value && (event.dataTransfer?.types.includes('Files') ?? false)

  function end(): void {
    depth = 0
    over.value = false
  }

  const listeners = {
    dragenter(event: DragEvent) {
      if (!carries(event)) return
      event.preventDefault()
      depth++
      over.value = true
    },
    dragover(event: DragEvent) {
      if (carries(event)) event.preventDefault()
    },
    dragleave() {
      if (--depth <= 0) end()
    },
    drop(event: DragEvent) {
      if (!carries(event)) return
      event.preventDefault()
      end()
      onFiles([...(event.dataTransfer?.files ?? [])])
    },
  }
  return { over, listeners }
}
