import { Compass, MessageCirclePlus, MessagesSquare, Plus } from '@lucide/vue'
import type { Command, Feature } from '@/app/feature'
import { i18n } from '@/app/i18n'
import { router } from '@/app/router'
import { onSignedOut } from '@/app/session'
import { useWorkspace } from '@/app/workspace'
import { dialog } from './dialogs'
import { roomTitle } from './names'
import { useRooms } from './store'

// A session that ended elsewhere: nothing stays to be read here. Signing out by hand removes everything, see connect.ts.
onSignedOut(async () => (await import('@/offline')).wipeCaches())

const page = () => import('./components/RoomsPage.vue')

/** Rooms in the palette: enough to find any by name, few enough to list. */
const LISTED = 500

function commands(): Command[] {
  const { t } = i18n.global
  const rooms = useRooms()
  const workspace = useWorkspace()
  const slug = workspace.slug
  if (!slug) return []
  const nameOf = (id: string) => rooms.member(id)?.name ?? t('rooms.someone')
  const openDialog = (name: 'create' | 'browse' | 'direct') => async () => {
    await router.push({ name: 'rooms', params: { slug } })
    dialog.value = name
  }
  const group = t('rooms.title')
  const own = rooms.summaries.slice(0, LISTED).map((summary) => ({
    id: `rooms.open.${summary.id}`,
    label: roomTitle(summary.room, rooms.state.me, nameOf),
    group,
    icon: MessagesSquare,
    keywords: summary.room.topic ?? '',
    run: () => router.push({ name: 'rooms.room', params: { slug, room: summary.id } }),
  }))
  const browse = { id: 'rooms.browse', label: t('rooms.browse.title'), group, icon: Compass, run: openDialog('browse') }
  if (!workspace.may('agent')) return [...own, browse]
  return [
    ...own,
    { id: 'rooms.direct', label: t('rooms.direct.title'), group, icon: MessageCirclePlus, keys: ['n'], run: openDialog('direct') },
    { id: 'rooms.create', label: t('rooms.create.title'), group, icon: Plus, run: openDialog('create') },
    browse,
    ...people(),
  ]
}

/** Everybody in the workspace can be written to from anywhere. */
function people(): Command[] {
  const { t } = i18n.global
  const rooms = useRooms()
  return Object.values(rooms.state.directory)
    .filter((member) => member.status === 'active' && member.user_id !== rooms.state.me)
    .slice(0, LISTED)
    .map((member) => ({
      id: `rooms.person.${member.user_id}`,
      label: member.name,
      group: t('rooms.people'),
      icon: MessageCirclePlus,
      keywords: member.email,
      run: () => writeTo(member.user_id),
    }))
}

async function writeTo(userId: string): Promise<void> {
  const rooms = useRooms()
  const room = await rooms.connected?.api.direct([userId])
  if (!room) return
  rooms.dispatch({ type: 'room', room })
  await router.push({ name: 'rooms.room', params: { slug: useWorkspace().slug, room: room.id } })
}

function badge(): { count: number; urgent: boolean } | null {
  let unread = 0
  for (const summary of useRooms().summaries) {
    if (summary.notify === 'all' || summary.room.kind === 'direct') unread += summary.unread
    else if (summary.notify === 'mentions') unread += summary.mentions
  }
  return unread ? { count: unread, urgent: true } : null
}

export const feature: Feature = {
  id: 'rooms',
  workspaceRoutes: [
    { path: 'rooms', name: 'rooms', component: page, meta: { title: 'rooms.title' } },
    { path: 'rooms/:room', name: 'rooms.room', component: page, meta: { title: 'rooms.title', phoneFull: true } },
  ],
  rail: [{ id: 'rooms', icon: MessagesSquare, label: 'rooms.title', to: 'rooms', order: 20, keys: 'g r', badge }],
  commands,
  locales: {
    en: () => import('./locales/en.json'),
    id: () => import('./locales/id.json'),
    ja: () => import('./locales/ja.json'),
  },
  // The socket, the disk and the text renderer come with the first workspace, not with the sign-in page.
  start: async (workspace) => (await import('./connect')).connectRooms(workspace),
}
