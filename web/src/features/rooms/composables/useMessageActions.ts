import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useWorkspace } from '@/app/workspace'
import { uuid, type Job } from '@/offline'
import { errorLine } from '@/ui/describeError'
import { toast } from '@/ui/toast'
import { inputOf, laneOf, withdrawalOf, type Operation } from '../operations'
import { rememberEmoji } from '../settings'
import type { OutgoingFile, PendingMessage } from '../state'
import { useRooms } from '../store'
import { plainText } from '../text/markdown'
import type { Id, Message, Quote } from '../types'
import { cancelUpload } from '../uploads'
import { usePeople } from './useRoom'

/** A delete can be taken back for as long as its toast stands. */
const UNDO_MS = 7_000

export interface Draft {
  body: string
  parent_id?: Id | null
  quote?: Message | null
  files?: OutgoingFile[]
  blobs?: Record<string, File>
}

/** Everything that can be done with messages: shown at once, sent through the outbox. */
export function useMessageActions() {
  const rooms = useRooms()
  const workspace = useWorkspace()
  const router = useRouter()
  const { t } = useI18n()
  const { nameOf } = usePeople()

  function put(id: string, operation: Operation, notBefore = 0): void {
    const job = { id, lane: laneOf(operation), payload: operation, notBefore }
    rooms.dispatch(inputOf({ ...job, order: 0, failure: null } as Job<Operation>))
    void rooms.connected?.outbox.add(job)
  }

  function send(roomId: Id, draft: Draft): string {
    const message: PendingMessage = {
      client_id: uuid(),
      room_id: roomId,
      parent_id: draft.parent_id ?? null,
      body: draft.body,
      quote: draft.quote ? quoteOf(draft.quote) : null,
      files: draft.files ?? [],
      created_at: new Date().toISOString(),
      failure: null,
    }
    put(message.client_id, { kind: 'send', message, blobs: draft.blobs ?? {} })
    return message.client_id
  }

  function quoteOf(message: Message): Quote {
    return { id: message.id, user_id: message.user_id, preview: plainText(message.body, nameOf, 160) }
  }

  function retry(message: PendingMessage): void {
    rooms.dispatch({ type: 'pending-failed', client_id: message.client_id, failure: null })
    void rooms.connected?.outbox.retry(message.client_id)
  }

  /** Takes back what was not sent; false when it is on its way already. */
  async function discard(message: PendingMessage): Promise<boolean> {
    for (const file of message.files) if (!file.attachment) cancelUpload(file.local_id)
    const taken = await rooms.connected?.outbox.cancel(message.client_id)
    if (!taken) return false
    rooms.dispatch({ type: 'pending-removed', client_id: message.client_id })
    return true
  }

  function edit(message: Message, body: string): void {
    if (body === message.body) return
    const { id, room_id } = message
    put(uuid(), { kind: 'change', room_id, message_id: id, change: { kind: 'edit', body } })
  }

  function remove(message: Message): void {
    const op = uuid()
    const operation: Operation = {
      kind: 'change',
      room_id: message.room_id,
      message_id: message.id,
      change: { kind: 'delete' },
    }
    put(op, operation, Date.now() + UNDO_MS)
    const undo = async () => {
      const taken = await rooms.connected?.outbox.cancel(op)
      if (taken) rooms.dispatch(withdrawalOf({ id: op, payload: operation } as Job<Operation>))
      else toast(t('rooms.tooLate'))
    }
    toast(t('rooms.deleted'), { action: { label: t('rooms.undo'), run: undo } })
  }

  function react(message: Message, emoji: string): void {
    const me = rooms.state.me
    const on = !message.reactions.some((one) => one.emoji === emoji && one.user_ids.includes(me))
    if (on) rememberEmoji(emoji)
    const { id, room_id } = message
    put(uuid(), { kind: 'change', room_id, message_id: id, change: { kind: 'react', emoji, on, user_id: me } })
  }

  function linkTo(message: Message): string {
    const route = router.resolve({
      name: 'rooms.room',
      params: { slug: workspace.slug, room: message.room_id },
      query: message.parent_id ? { thread: message.parent_id, m: message.id } : { m: message.id },
    })
    return new URL(route.href, location.origin).href
  }

  async function copy(text: string, done: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text)
      toast(done)
    } catch (error) {
      toast(errorLine(error, t), { tone: 'danger' })
    }
  }

  return {
    send, retry, discard, edit, remove, react, linkTo,
    copyText: (message: Message) => copy(plainText(message.body, nameOf, 100_000), t('rooms.copied.text')),
    copyLink: (message: Message) => copy(linkTo(message), t('rooms.copied.link')),
  }
}
