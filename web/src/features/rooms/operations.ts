/** What is written here and goes out through the outbox. */
import { isAbort, isApiError } from '@/api/error'
import type { Job, Verdict } from '@/offline'
import type { RoomsApi } from './api'
import type { Input } from './reducer'
import type { Change, PendingMessage } from './state'
import type { Id, Message } from './types'

export interface Send {
  kind: 'send'
  message: PendingMessage
  /** what is not uploaded yet, by local id */
  blobs: Record<string, File>
}

export interface ChangeMessage {
  kind: 'change'
  room_id: Id
  message_id: Id
  change: Change
}

export type Operation = Send | ChangeMessage

/** Messages of a room go out in order; changes wait only for earlier changes of the same message. */
export function laneOf(operation: Operation): string {
  return operation.kind === 'send' ? `room/${operation.message.room_id}` : `message/${operation.message_id}`
}

/** Shows an operation that is on its way, also after the page was loaded again. */
export function inputOf(job: Job<Operation>): Input {
  const { payload } = job
  if (payload.kind === 'send') return { type: 'pending', message: { ...payload.message, failure: job.failure } }
  return { type: 'overlay', overlay: { op_id: job.id, message_id: payload.message_id, change: payload.change } }
}

/** Takes it off again. */
export function withdrawalOf(job: Job<Operation>): Input {
  return job.payload.kind === 'send'
    ? { type: 'pending-removed', client_id: job.id }
    : { type: 'overlay-removed', op_id: job.id }
}

export type Uploader = (localId: string, file: File) => Promise<Message['attachments'][number]>

/** Safe to repeat: the server knows a message by its client id, and the other changes end in the same state. */
export async function perform(
  api: RoomsApi,
  job: Job<Operation>,
  upload: Uploader,
  keep: (payload: Operation) => Promise<void>,
): Promise<Message> {
  const { payload } = job
  if (payload.kind === 'send') return send(api, payload, upload, keep)
  const { message_id: id, change } = payload
  if (change.kind === 'edit') return api.edit(id, change.body)
  if (change.kind === 'delete') return api.remove(id)
  return api.react(id, change.emoji, change.on)
}

async function send(
  api: RoomsApi,
  operation: Send,
  upload: Uploader,
  keep: (payload: Operation) => Promise<void>,
): Promise<Message> {
  let { message, blobs } = operation
  for (const file of message.files) {
    if (file.attachment || !blobs[file.local_id]) continue
    const attachment = await upload(file.local_id, blobs[file.local_id]!)
    const files = message.files.map((one) => (one.local_id === file.local_id ? { ...one, attachment } : one))
    message = { ...message, files }
    blobs = Object.fromEntries(Object.entries(blobs).filter(([id]) => id !== file.local_id))
    await keep({ kind: 'send', message, blobs })
  }
  const attachments = message.files.flatMap((file) => (file.attachment ? [file.attachment.id] : []))
  return api.post(message.room_id, {
    client_id: message.client_id,
    body: message.body,
    ...(message.parent_id && { parent_id: message.parent_id }),
    ...(message.quote && { quote_id: message.quote.id }),
    ...(attachments.length && { attachment_ids: attachments }),
  })
}

/** A signed-out person signs in again; until then everything waits. */
const SIGNED_OUT_MS = 30_000

/** A server that stumbles over the same thing again and again won't take it; a person should know. */
const STUMBLES = 5

export function judge(error: unknown, attempt: number): Verdict {
  if (isAbort(error)) return { retry: false, code: 'client.cancelled', message: '' }
  if (!isApiError(error)) return { retry: false, code: 'client.unexpected', message: String(error) }
  if (error.kind === 'unauthenticated') return { retry: true, after: SIGNED_OUT_MS }
  if (error.kind === 'server' && attempt >= STUMBLES) return { retry: false, code: error.code, message: '' }
  if (error.retryable) return { retry: true, after: error.retryAfter === null ? undefined : error.retryAfter * 1000 }
  return { retry: false, code: error.code, message: error.message }
}
