import { computed, shallowRef } from 'vue'
import { isAbort } from '@/api/error'
import { useI18n } from 'vue-i18n'
import { useFormat } from '@/app/format'
import { useWorkspace } from '@/app/workspace'
import { uuid } from '@/offline'
import { toast } from '@/ui/toast'
import type { OutgoingFile } from '../state'
import { useRooms } from '../store'
import { cancelUpload, measure, previewOf, upload } from '../uploads'

/** Attachments of one message, as the server allows. */
const AT_MOST = 10

export interface TrayFile extends OutgoingFile {
  file: File
  /** refused for good; it can be taken out or tried again */
  failed: boolean
}

/** Files chosen for the next message: they go up while the text is still being written. */
export function useTray() {
  const rooms = useRooms()
  const workspace = useWorkspace()
  const { t } = useI18n()
  const format = useFormat()
  const files = shallowRef<readonly TrayFile[]>([])

  function change(localId: string, changes: Partial<TrayFile>): void {
    files.value = files.value.map((one) => (one.local_id === localId ? { ...one, ...changes } : one))
  }

  async function add(chosen: readonly File[]): Promise<void> {
    const limit = workspace.details?.limits.max_file_bytes ?? Infinity
    for (const file of chosen) {
      if (files.value.length >= AT_MOST) return void toast(t('rooms.tooManyFiles', AT_MOST), { tone: 'danger' })
      if (file.size > limit) {
        toast(t('rooms.tooLarge', { name: file.name, limit: format.bytes(limit) }), { tone: 'danger' })
        continue
      }
      const local_id = uuid()
      previewOf(local_id, file)
      const entry = { local_id, name: file.name, type: file.type || 'application/octet-stream', size: file.size }
      files.value = [...files.value, { ...entry, width: null, height: null, attachment: null, file, failed: false }]
      const size = await measure(file)
      if (size) change(local_id, size)
      void start(local_id, file)
    }
  }

  async function start(localId: string, file: File): Promise<void> {
    const api = rooms.connected?.api
    if (!api) return
    change(localId, { failed: false })
    try {
      change(localId, { attachment: await upload(api, localId, file) })
    } catch (error) {
      if (!isAbort(error)) change(localId, { failed: true })
    }
  }

  function remove(localId: string): void {
    cancelUpload(localId)
    files.value = files.value.filter((one) => one.local_id !== localId)
  }

  /** For the message: what is up already goes as it is, the rest goes up with it. */
  function take(): { files: OutgoingFile[]; blobs: Record<string, File> } {
    const taken = files.value
    files.value = []
    return {
      files: taken.map(({ local_id, name, type, size, width, height, attachment }) => ({
        local_id, name, type, size, width, height, attachment,
      })),
      blobs: Object.fromEntries(taken.filter((one) => !one.attachment).map((one) => [one.local_id, one.file])),
    }
  }

  return { files, add, remove, retry: (one: TrayFile) => start(one.local_id, one.file), take, empty: computed(() => files.value.length === 0) }
}

export type Tray = ReturnType<typeof useTray>
