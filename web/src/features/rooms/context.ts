/** What a message needs of the pane it stands in. */
import { inject, provide, type InjectionKey, type Ref } from 'vue'
import type { PendingMessage } from './state'
import type { Attachment, Id, Message } from './types'

export interface Pane {
  roomId: Ref<Id>
  me: Ref<Id>
  /** null in the room's own timeline */
  threadId: Ref<Id | null>
  isDirect: Ref<boolean>
  canWrite: Ref<boolean>
  canManage: Ref<boolean>
  /** Highest sequence all others have read; direct rooms only. */
  readTo: Ref<number>
  /** Search words to mark. */
  words: Ref<readonly string[]>
  flashing: Ref<Id | null>
  person: (id: Id) => { id: Id; name: string; me: boolean }
  openPerson: (id: Id) => void
  openThread: (message: Message) => void
  openMenu: (event: Event, message: Message) => void
  openReactions: (anchor: Element, message: Message) => void
  react: (message: Message, emoji: string) => void
  quote: (message: Message) => void
  jumpTo: (id: Id) => void
  showPicture: (message: Message, attachment: Attachment) => void
  retry: (message: PendingMessage) => void
  discard: (message: PendingMessage) => void
}

const KEY: InjectionKey<Pane> = Symbol('pane')

export const providePane = (pane: Pane) => provide(KEY, pane)

export function usePane(): Pane {
  const pane = inject(KEY)
  if (!pane) throw new Error('A message stands outside a pane')
  return pane
}
