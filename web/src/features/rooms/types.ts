/** The words of this feature: the API's own shapes and how pages are asked for. */
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

/** Where a page was asked for; without any of them it is the newest one. */
export interface PageAnchor {
  before?: number
  after?: number
  around?: number
}
