import type { Component } from 'vue'
import type { RouteRecordRaw } from 'vue-router'
import type { Role } from '@/api/types'
import type { Locale } from './i18n'

/** What decides whether an entry is shown: the person's role here, and whether they run the server. */
export interface Viewer {
  role: Role | null
  operator: boolean
}

export interface Command {
  /** Stable and unique: `rooms.create`. */
  id: string
  /** Already translated: names of rooms and people are labels too. */
  label: string
  /** A heading that is already translated; commands of one group stand together. */
  group: string
  icon?: Component
  /** More words to find it by. */
  keywords?: string
  hint?: string
  /** Keys shown beside it: `['mod', 'k']`; registering the shortcut itself is `useShortcut`. */
  keys?: string[]
  run: () => unknown
}

export interface RailEntry {
  id: string
  icon: Component
  /** Message key. */
  label: string
  /** Route name; entries inside a workspace get its slug as a parameter. */
  to: string
  order: number
  /** A shortcut that leads there: `g m`. */
  keys?: string
  /** false: on a phone it stands behind "More", the bar has room for few. */
  bar?: boolean
  /** Missing: everyone. */
  visible?: (viewer: Viewer) => boolean
  /** A reactive read: called while rendering. `urgent` is the accent, otherwise grey. */
  badge?: () => { count: number; urgent: boolean } | null
}

/** A page in the settings' side list. */
export interface SettingsEntry {
  id: string
  icon: Component
  label: string
  to: string
  group: 'account' | 'workspace'
  order: number
  visible?: (viewer: Viewer) => boolean
}

declare module 'vue-router' {
  interface RouteMeta {
    /** Message key of the document title; `usePageTitle` says it more exactly. */
    title?: string
    /** Open without being signed in; `guest` pages send signed-in people home. */
    public?: boolean
    guest?: boolean
    /** Others see the no-permission page in this one's place. */
    role?: Role
    operator?: boolean
    /** The rail entry that is lit on this page, where that isn't the entry's own route. */
    rail?: string
    /** On a phone it takes the whole screen: no bottom bar. */
    phoneFull?: boolean
  }
}

type Messages = Record<string, unknown>

/**
 * What a domain adds to the app. `features/index.ts` lists them; nothing else knows them by name.
 *
 * - `routes` at the top (sign-in) or, with `workspaceRoutes`, below `/w/:slug` with the shell around them.
 * - `commands` is called inside an effect each time the palette opens or its inputs change: keep it a plain read.
 * - `locales` land under the feature's id: `rooms` + `{ "title": … }` is `t('rooms.title')`.
 * - `start` runs once per opened workspace and returns what stops it.
 */
export interface Feature {
  id: string
  routes?: RouteRecordRaw[]
  workspaceRoutes?: RouteRecordRaw[]
  rail?: RailEntry[]
  settings?: SettingsEntry[]
  commands?: () => Command[]
  locales: Record<Locale, () => Promise<{ default: Messages }>>
  start?: (workspace: { id: string; slug: string }) => (() => void) | Promise<() => void>
}
