/** The words of this feature: the API's own shapes and the two things it adds to them. */
import type { Membership as ApiMembership } from '@/api/types'

export type {
  Attachment,
  Id,
  LastMessage,
  Member,
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

/** `version` is the number `membership.updated` carries. */
export type Membership = ApiMembership & { version?: number }

/** Where a page was asked for; without any of them it is the newest one. */
export interface PageAnchor {
  before?: number
  after?: number
  around?: number
}
