/** What the rooms ask of the server, for one workspace. */
import { api, call } from '@/api/client'
import { uploadFile, type UploadOptions } from '@/api/upload'
import type { Id, Notify, PageAnchor, Visibility } from './types'

/** Messages per page: about three screens. */
export const PAGE = 50

/** A request on a dead line must not hold up what waits behind it. */
const patience = () => AbortSignal.timeout(30_000)

export type RoomsApi = ReturnType<typeof roomsApi>

export function roomsApi(ws: Id) {
  const base = { ws }
  const inRoom = (room: Id) => ({ path: { ...base, room_id: room } })
  const ofMessage = (id: Id) => ({ path: { ...base, message_id: id } })
  return {
    workspace: ws,
    rooms: () => call(api.GET('/api/v1/workspaces/{ws}/chat/rooms', { params: { path: base } })),
    browse: (q: string, cursor?: string) =>
      call(api.GET('/api/v1/workspaces/{ws}/chat/rooms/browse', { params: { path: base, query: clean({ q, cursor }) } })),
    create: ({ topic = '', ...rest }: { name: string; topic?: string; visibility: Visibility; member_ids?: Id[] }) =>
      call(api.POST('/api/v1/workspaces/{ws}/chat/rooms', { params: { path: base }, body: { topic, ...rest } })),
    direct: (user_ids: Id[]) =>
      call(api.POST('/api/v1/workspaces/{ws}/chat/direct', { params: { path: base }, body: { user_ids } })),

    room: (room: Id) => call(api.GET('/api/v1/workspaces/{ws}/chat/rooms/{room_id}', { params: inRoom(room) })),
    change: (room: Id, body: { name?: string; topic?: string; visibility?: Visibility; archived?: boolean }) =>
      call(api.PATCH('/api/v1/workspaces/{ws}/chat/rooms/{room_id}', { params: inRoom(room), body })),
    join: (room: Id) => call(api.POST('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/join', { params: inRoom(room) })),
    leave: (room: Id) => call(api.POST('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/leave', { params: inRoom(room) })),
    members: (room: Id) => call(api.GET('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/members', { params: inRoom(room) })),
    addMembers: (room: Id, user_ids: Id[]) =>
      call(api.POST('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/members', { params: inRoom(room), body: { user_ids } })),
    removeMember: (room: Id, user: Id) =>
      call(api.DELETE('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/members/{user_id}', { params: { path: { ws, room_id: room, user_id: user } } })),
    membership: (room: Id, body: { starred?: boolean; notify?: Notify }) =>
      call(api.PATCH('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/membership', { params: inRoom(room), body })),
    read: (room: Id, sequence: number) =>
      call(api.POST('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/read', { params: inRoom(room), body: { sequence } })),

    messages: (room: Id, anchor: PageAnchor, limit = PAGE) =>
      call(
        api.GET('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/messages', {
          params: { ...inRoom(room), query: { ...anchor, limit } },
        }),
      ),
    post: (
      room: Id,
      body: { client_id: string; body: string; parent_id?: Id; quote_id?: Id; attachment_ids?: Id[] },
    ) => call(api.POST('/api/v1/workspaces/{ws}/chat/rooms/{room_id}/messages', { params: inRoom(room), body, signal: patience() })),
    message: (id: Id) => call(api.GET('/api/v1/workspaces/{ws}/chat/messages/{message_id}', { params: ofMessage(id) })),
    edit: (id: Id, body: string) =>
      call(api.PATCH('/api/v1/workspaces/{ws}/chat/messages/{message_id}', { params: ofMessage(id), body: { body }, signal: patience() })),
    remove: (id: Id) => call(api.DELETE('/api/v1/workspaces/{ws}/chat/messages/{message_id}', { params: ofMessage(id) })),
    thread: (id: Id, after: number) =>
      call(
        api.GET('/api/v1/workspaces/{ws}/chat/messages/{message_id}/thread', {
          params: { ...ofMessage(id), query: { after, limit: 100 } },
        }),
      ),
    react: (id: Id, emoji: string, on: boolean) => {
      const params = { path: { ws, message_id: id, emoji } }
      const path = '/api/v1/workspaces/{ws}/chat/messages/{message_id}/reactions/{emoji}'
      const options = { params, signal: patience() }
      return call(on ? api.PUT(path, options) : api.DELETE(path, options))
    },
    search: (query: { q: string; room_id?: Id; user_id?: Id; before?: string; limit?: number }) =>
      call(api.GET('/api/v1/workspaces/{ws}/chat/search', { params: { path: base, query: clean(query) } })),
    upload: (file: File, options: UploadOptions) => uploadFile(ws, file, options),
  }
}

/** Unknown and empty parameters are refused: leave them out. */
function clean<T extends Record<string, unknown>>(query: T): T {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== '')) as T
}
