import type { Component } from 'vue'

export interface MenuAction {
  label: string
  icon?: Component
  /** A second, quieter line or value at the end. */
  hint?: string
  /** `mod k` */
  keys?: string
  danger?: boolean
  disabled?: boolean
  /** Present: the entry is one of several that can be on. */
  checked?: boolean
  /** The label's own language, where that isn't the page's. */
  lang?: string
  run: () => unknown
}

/** A rule between groups, a heading, or something to do. Falsy entries are left out. */
export type MenuItem = 'separator' | { heading: string } | MenuAction | false | null | undefined

/** The four components of which a kind of menu is made. */
export type MenuParts = Record<'item' | 'checkbox' | 'separator' | 'label', Component>

export function isAction(item: MenuItem): item is MenuAction {
  return typeof item === 'object' && item !== null && 'run' in item
}

/** Without empty places, and without rules at an end or beside each other. */
export function tidyMenu(items: MenuItem[]): Exclude<MenuItem, false | null | undefined>[] {
  const present = items.filter((item): item is Exclude<MenuItem, false | null | undefined> => Boolean(item))
  return present.filter((item, index) => item !== 'separator' || (index > 0 && index < present.length - 1 && present[index - 1] !== 'separator'))
}

export const MENU_CLASS =
  'z-60 min-w-44 max-w-[min(20rem,calc(100vw-1rem))] animate-appear overflow-y-auto rounded-lg bg-raised p-1 shadow-float outline-none forced:border'
export const MENU_ITEM_CLASS =
  'flex min-h-8 cursor-default items-center gap-2.5 rounded-md px-2 py-1.5 outline-none select-none data-disabled:opacity-45 data-highlighted:bg-hover touch:min-h-11 forced:data-highlighted:border'
