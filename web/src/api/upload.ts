import { reportSignedOut, requestHeaders, withCsrf } from './client'
import { errorFromAnswer, errorFromFailure } from './error'
import type { Attachment, Id } from './types'

export interface UploadOptions {
  signal?: AbortSignal
  /** 0 to 1. */
  onProgress?: (share: number) => void
}

/** By XMLHttpRequest, because fetch tells nothing about how far it got. Rejects with `ApiError` or AbortError. */
export function uploadFile(workspace: Id, file: File, options: UploadOptions = {}): Promise<Attachment> {
  return withCsrf(() => attempt(workspace, file, options))
}

function attempt(workspace: Id, file: File, options: UploadOptions): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', `/api/v1/workspaces/${workspace}/files`)
    for (const [name, value] of Object.entries(requestHeaders('POST'))) request.setRequestHeader(name, value)
    request.responseType = 'json'
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) options.onProgress?.(event.loaded / event.total)
    }
    request.onload = () => {
      if (request.status < 300) return resolve(request.response as Attachment)
      const headers = new Headers()
      for (const name of ['x-request-id', 'retry-after']) {
        const value = request.getResponseHeader(name)
        if (value) headers.set(name, value)
      }
      reject(reportSignedOut(errorFromAnswer(request.status, headers, request.response)))
    }
    request.onerror = () => reject(errorFromFailure(navigator.onLine))
    request.onabort = () => reject(new DOMException('Upload cancelled', 'AbortError'))
    options.signal?.addEventListener('abort', () => request.abort(), { once: true })

    const form = new FormData()
    form.append('file', file, file.name)
    request.send(form)
  })
}
