import { Copy, CornerDownRight, Eye, Link, MessageSquareReply, Pencil, SmilePlus, Trash2 } from '@lucide/vue'
import { computed, inject, provide, ref, shallowRef, type InjectionKey, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { MenuItem } from '@/ui/menu'
import { providePane, type Pane } from '../context'
import { readByOthers } from '../selectors'
import { useRooms } from '../store'
import type { Attachment, Id, Message } from '../types'
import { useMessageActions } from './useMessageActions'
import { usePeople, useRoom } from './useRoom'

/** Own messages can be changed for a day. */
const EDIT_MS = 24 * 3_600_000
const FLASH_MS = 1_800

export interface PaneParts {
  roomId: Ref<Id>
  threadId: Ref<Id | null>
  words: Ref<readonly string[]>
  messages: () => readonly Message[]
  openThread: (message: Message) => void
  openPerson: (id: Id) => void
  jumpTo: (id: Id) => void
  composer: () => { quote: (message: Message) => void; edit: (message: Message) => void; focus: () => void } | null
}

/** What messages of a pane can do, and the few floating things they share. */
export function useMessagePane(parts: PaneParts) {
  const { t } = useI18n()
  const rooms = useRooms()
  const actions = useMessageActions()
  const { person } = usePeople()
  const { room, me, isDirect, canWrite, canManage } = useRoom(parts.roomId)

  const flashing = ref<Id | null>(null)
  const target = shallowRef<Message | null>(null)
  const reacting = ref(false)
  const reactAnchor = shallowRef<DOMRect | null>(null)
  const picture = ref<Id | null>(null)
  const pictureOpen = ref(false)
  const seenBy = shallowRef<Message | null>(null)
  const readTo = computed(() => readByOthers(rooms.state, parts.roomId.value, room.value?.member_ids ?? []))

  function mayEdit(message: Message): boolean {
    const young = Date.now() - Date.parse(message.created_at) < EDIT_MS
    return canWrite.value && message.user_id === me.value && young && !message.deleted_at && message.kind === 'text'
  }

  function mayRemove(message: Message): boolean {
    return canWrite.value && !message.deleted_at && (message.user_id === me.value || canManage.value)
  }

  /** After the menu has given the focus back. */
  const later = (work: () => void) => () => void setTimeout(work)

  const menu = computed<MenuItem[]>(() => {
    const message = target.value
    if (!message || message.deleted_at) return []
    const writing = canWrite.value
    return [
      writing && !parts.threadId.value && { label: t('rooms.action.thread'), icon: MessageSquareReply, keys: 't', run: later(() => parts.openThread(message)) },
      writing && { label: t('rooms.action.quote'), icon: CornerDownRight, keys: 'q', run: later(() => parts.composer()?.quote(message)) },
      writing && { label: t('rooms.action.react'), icon: SmilePlus, keys: 'r', run: later(() => openReactions(elementOf(message), message)) },
      mayEdit(message) && { label: t('rooms.action.edit'), icon: Pencil, keys: 'e', run: later(() => parts.composer()?.edit(message)) },
      'separator',
      message.body !== '' && { label: t('rooms.action.copy'), icon: Copy, keys: 'c', run: () => actions.copyText(message) },
      { label: t('rooms.action.link'), icon: Link, run: () => actions.copyLink(message) },
      !parts.threadId.value && { label: t('rooms.action.seenBy'), icon: Eye, run: later(() => (seenBy.value = message)) },
      'separator',
      mayRemove(message) && { label: t('rooms.action.delete'), icon: Trash2, danger: true, run: () => actions.remove(message) },
    ]
  })

  function elementOf(message: Message): Element {
    return document.querySelector(`[data-message-id="${CSS.escape(message.id)}"] .bubble`) ?? document.body
  }

  function openReactions(anchor: Element, message: Message): void {
    target.value = message
    reactAnchor.value = anchor.getBoundingClientRect()
    reacting.value = true
  }

  /** A right click opens it by itself; a button or a key plays one. */
  function openMenu(event: Event, message: Message): void {
    target.value = message
    if (event.type === 'contextmenu') {
      // Links and selected words keep the browser's own menu.
      const native = (event.target as Element).closest('a, pre') || !getSelection()?.isCollapsed
      if (native && event.isTrusted) event.stopPropagation()
      return
    }
    playMenu(event.currentTarget as Element)
  }

  function playMenu(element: Element): void {
    const box = element.getBoundingClientRect()
    const at = { clientX: box.left + Math.min(box.width / 2, 80), clientY: box.bottom - 4 }
    element.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true, ...at }))
  }

  /** Keys of the message the focus stands on. */
  function command(key: string, message: Message): void {
    if (message.kind === 'system' || message.deleted_at) return
    const element = elementOf(message)
    if (key === 'Enter' || key === 'm') playMenu(element)
    else if (key === 't' && canWrite.value && !parts.threadId.value) parts.openThread(message)
    else if (key === 'q' && canWrite.value) parts.composer()?.quote(message)
    else if (key === 'r' && canWrite.value) openReactions(element, message)
    else if (key === 'e' && mayEdit(message)) parts.composer()?.edit(message)
    else if (key === 'c') void actions.copyText(message)
    else if (key === 'Delete' && mayRemove(message)) actions.remove(message)
  }

  function editLast(): void {
    const last = parts.messages().findLast((message) => mayEdit(message))
    if (last) parts.composer()?.edit(last)
  }

  function flash(id: Id): void {
    flashing.value = id
    setTimeout(() => flashing.value === id && (flashing.value = null), FLASH_MS)
  }

  const pictures = computed(() =>
    parts.messages().flatMap((message) =>
      message.deleted_at ? [] : message.attachments
        .filter((file) => file.content_type.startsWith('image/'))
        .map((attachment) => ({ attachment, sender: person(message.user_id).name, at: message.created_at })),
    ),
  )

  function showPicture(_message: Message, attachment: Attachment): void {
    picture.value = attachment.id
    pictureOpen.value = true
  }

  const pane: Pane = {
    roomId: parts.roomId, threadId: parts.threadId, words: parts.words, me, isDirect, canWrite, canManage, readTo, flashing,
    person,
    openPerson: parts.openPerson,
    openThread: parts.openThread,
    jumpTo: parts.jumpTo,
    openMenu,
    openReactions,
    react: actions.react,
    quote: (message) => parts.composer()?.quote(message),
    showPicture,
    retry: actions.retry,
    discard: (message) => void actions.discard(message),
  }
  providePane(pane)

  const reactToTarget = (emoji: string) => target.value && actions.react(target.value, emoji)
  const floats = { reacting, reactAnchor, picture, pictureOpen, pictures, seenBy, reactToTarget }
  provide(FLOATS, floats)

  return { menu, command, editLast, flash, floats }
}

type Floats = ReturnType<typeof useMessagePane>['floats']
const FLOATS: InjectionKey<Floats> = Symbol('floats')

export function useFloats(): Floats {
  const floats = inject(FLOATS)
  if (!floats) throw new Error('Outside a pane')
  return floats
}
