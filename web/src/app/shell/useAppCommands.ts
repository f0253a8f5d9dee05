import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { features } from '@/features'
import { isAction, type MenuItem } from '@/ui/menu'
import type { Command, SettingsEntry, Viewer } from '../feature'
import { useWorkspace } from '../workspace'
import { useRail } from './useRail'
import { useShellMenus } from './useShellMenus'

const settings = features.flatMap((feature) => feature.settings ?? [])

export function settingsFor(viewer: Viewer): SettingsEntry[] {
  return settings.filter((entry) => entry.visible?.(viewer) ?? true).sort((a, b) => a.order - b.order)
}

/** Everything the palette reaches: pages, what features offer, and the shell's own menus. */
export function useAppCommands() {
  const { t } = useI18n()
  const router = useRouter()
  const workspace = useWorkspace()
  const { links, viewer } = useRail()
  const menus = useShellMenus()

  const pages = computed<Command[]>(() => [
    ...links.value.map((link) => ({
      id: `page.${link.id}`,
      label: t(link.label),
      group: t('app.palette.pages'),
      icon: link.icon,
      keys: link.keys?.split(' '),
      run: () => router.push(link.location),
    })),
    ...settingsFor(viewer.value).map((entry) => ({
      id: `settings.${entry.id}`,
      label: t(entry.label),
      group: t('app.palette.settings'),
      icon: entry.icon,
      run: () => router.push({ name: entry.to, params: { slug: workspace.slug } }),
    })),
  ])

  function fromMenu(id: string, group: string, items: MenuItem[]): Command[] {
    return items.filter(isAction).map((item, index) => ({
      id: `${id}.${index}`,
      label: item.label,
      group,
      icon: item.icon,
      hint: item.hint,
      run: item.run,
    }))
  }

  return (): Command[] => [
    ...features.flatMap((feature) => feature.commands?.() ?? []),
    ...pages.value,
    ...fromMenu('workspace', t('app.workspaces'), menus.workspaces.value),
    ...fromMenu('theme', t('app.theme.label'), menus.themes.value),
    ...fromMenu('language', t('app.language'), menus.languages.value),
    ...fromMenu('me', t('app.account'), menus.me.value),
  ]
}
