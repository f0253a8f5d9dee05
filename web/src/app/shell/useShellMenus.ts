import { Keyboard, Languages, LogOut, Monitor, Moon, Plus, Search, Sun, UserRound } from '@lucide/vue'
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { clientLocale, LOCALE_NAMES, LOCALES, type Locale } from '../i18n'
import type { Theme } from '@/api/types'
import { errorLine } from '@/ui/describeError'
import type { MenuItem } from '@/ui/menu'
import { toast } from '@/ui/toast'
import { paletteOpen } from '../palette'
import { useSession } from '../session'
import { sheetOpen } from '../shortcuts'
import { theme } from '../theme'
import { useWorkspace } from '../workspace'

export const THEMES: { value: Theme; icon: typeof Sun }[] = [
  { value: 'system', icon: Monitor },
  { value: 'light', icon: Sun },
  { value: 'dark', icon: Moon },
]

/** What the rail's foot, the phone's "more" and the palette offer alike. */
export function useShellMenus() {
  const { t } = useI18n()
  const router = useRouter()
  const session = useSession()
  const workspace = useWorkspace()

  /** A failed save is said; what was shown has already been put back. */
  async function save(changes: { theme?: Theme; locale?: Locale }): Promise<void> {
    try {
      await session.update(changes)
    } catch (error) {
      toast(errorLine(error, t), { tone: 'danger' })
    }
  }

  async function signOut(): Promise<void> {
    try {
      await session.signOut()
      await router.push({ name: 'sign-in' })
    } catch (error) {
      toast(errorLine(error, t), { tone: 'danger' })
    }
  }

  const themeIcon = computed(() => THEMES.find((entry) => entry.value === theme.value)!.icon)
  const themes = computed<MenuItem[]>(() =>
    THEMES.map(({ value, icon }) => ({
      label: t(`app.theme.${value}`),
      icon,
      checked: theme.value === value,
      run: () => save({ theme: value }),
    })),
  )
  const languages = computed<MenuItem[]>(() =>
    LOCALES.map((locale) => ({
      label: LOCALE_NAMES[locale],
      lang: locale,
      checked: clientLocale.value === locale,
      run: () => save({ locale }),
    })),
  )
  const workspaces = computed<MenuItem[]>(() => [
    { heading: t('app.workspaces') },
    ...session.workspaces.map((one) => ({
      label: one.name,
      hint: one.status !== 'active' ? t('app.suspended.badge') : undefined,
      checked: one.slug === workspace.slug,
      run: () => router.push(`/w/${one.slug}`),
    })),
    'separator',
    { label: t('app.createWorkspace'), icon: Plus, run: () => router.push({ name: 'create-workspace' }) },
  ])
  const me = computed<MenuItem[]>(() => [
    workspace.slug !== null && { label: t('app.profile'), icon: UserRound, run: () => router.push({ name: 'settings-profile', params: { slug: workspace.slug } }) },
    { label: t('app.search'), icon: Search, keys: 'mod k', run: () => (paletteOpen.value = true) },
    { label: t('app.shortcuts'), icon: Keyboard, keys: '?', run: () => (sheetOpen.value = true) },
    'separator',
    { label: t('app.signOut'), icon: LogOut, run: signOut },
  ])

  return { themes, themeIcon, languages, languageIcon: Languages, workspaces, me, signOut, save }
}
