/** Files on their way: one upload per file, however many ask for it. */
import { shallowReactive } from 'vue'
import type { RoomsApi } from './api'
import type { Attachment } from './types'

export interface Progress {
  /** 0 to 1 */
  share: number
  error: unknown
}

const progress = shallowReactive(new Map<string, Progress>())
const running = new Map<string, { promise: Promise<Attachment>; abort: AbortController }>()
const previews = new Map<string, string>()

export function progressOf(localId: string): Progress | undefined {
  return progress.get(localId)
}

export function upload(api: RoomsApi, localId: string, file: File): Promise<Attachment> {
  const known = running.get(localId)
  if (known) return known.promise
  const abort = new AbortController()
  progress.set(localId, { share: 0, error: null })
  const promise = api
    .upload(file, {
      signal: abort.signal,
      onProgress: (share) => progress.set(localId, { share, error: null }),
    })
    .then((attachment) => {
      progress.set(localId, { share: 1, error: null })
      return attachment
    })
    .catch((error: unknown) => {
      running.delete(localId)
      progress.set(localId, { share: 0, error })
      throw error
    })
  running.set(localId, { promise, abort })
  return promise
}

export function cancelUpload(localId: string): void {
  running.get(localId)?.abort.abort()
  running.delete(localId)
  progress.delete(localId)
  forgetPreview(localId)
}

/** A picture can be shown before it is sent. */
export function previewOf(localId: string, file?: File): string | undefined {
  const known = previews.get(localId)
  if (known || !file || !file.type.startsWith('image/')) return known
  const url = URL.createObjectURL(file)
  previews.set(localId, url)
  return url
}

function forgetPreview(localId: string): void {
  const url = previews.get(localId)
  if (url) URL.revokeObjectURL(url)
  previews.delete(localId)
}

/** Size of a picture in pixels, so its place is reserved. */
export async function measure(file: File): Promise<{ width: number; height: number } | null> {
  if (!file.type.startsWith('image/')) return null
  try {
    const bitmap = await createImageBitmap(file)
    const size = { width: bitmap.width, height: bitmap.height }
    bitmap.close()
    return size
  } catch {
    return null
  }
}
