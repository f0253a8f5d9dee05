/** The words of this feature: the API's own shapes and what it asks with. */
import type { Visibility } from '@/api/types'

export type {
  Attachment,
  Id,
  LastMessage,
  Member,
  Membership,
  Message,
  MessageWindow as MessagePage,
  Notify,
  Quote,
  Reaction,
  Room,
  RoomMember,
  SearchHit,
  SystemNote,
  Thread as ThreadPage,
  Visibility,
} from '@/api/types'

/** What people say of a room when they make or change it. */
export interface RoomDraft {
  name: string
  topic: string
  visibility: Visibility
}

/** Where a page was asked for; without any of them it is the newest one. */
export interface PageAnchor {
  before?: number
  after?: number
  around?: number
}
