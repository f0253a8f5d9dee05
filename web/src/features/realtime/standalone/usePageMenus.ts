import { Languages, Monitor, Moon, Sun } from '@lucide/vue'
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { clientLocale, LOCALE_NAMES, LOCALES, setLocale } from '@/app/i18n'
import { setTheme, theme } from '@/app/theme'
import type { MenuItem } from '@/ui/menu'

const THEMES = [
  { value: 'system', icon: Monitor },
  { value: 'light', icon: Sun },
  { value: 'dark', icon: Moon },
] as const

/** Theme and language of this browser; there is no account to save them to. */
export function usePageMenus() {
  const { t } = useI18n()
  const themeIcon = computed(() => THEMES.find((entry) => entry.value === theme.value)!.icon)
  const themes = computed<MenuItem[]>(() =>
    THEMES.map(({ value, icon }) => ({ label: t(`app.theme.${value}`), icon, checked: theme.value === value, run: () => setTheme(value) })),
  )
  const languages = computed<MenuItem[]>(() =>
    LOCALES.map((locale) => ({ label: LOCALE_NAMES[locale], lang: locale, checked: clientLocale.value === locale, run: () => setLocale(locale) })),
  )
  return { themes, themeIcon, languages, languageIcon: Languages }
}
