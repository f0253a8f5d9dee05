import { computed } from 'vue'
import { createI18n, type LocaleMessageDictionary, type VueMessageType } from 'vue-i18n'

export const LOCALES = ['en', 'id', 'ja'] as const
export type Locale = (typeof LOCALES)[number]

/** Each language under its own name. */
export const LOCALE_NAMES: Record<Locale, string> = { en: 'English', id: 'Bahasa Indonesia', ja: '日本語' }

const STORED = 'kanal.locale'

type Messages = Record<string, unknown>
type LocaleMessage = LocaleMessageDictionary<VueMessageType>
type Loaders = Record<Locale, () => Promise<{ default: Messages }>>

const core: Loaders = {
  en: () => import('@/locales/en.json'),
  id: () => import('@/locales/id.json'),
  ja: () => import('@/locales/ja.json'),
}

const parts = new Map<string, Loaders>()

export const i18n = createI18n({
  legacy: false,
  locale: 'en' as string,
  fallbackLocale: 'en',
  missingWarn: import.meta.env.DEV,
  fallbackWarn: false,
  messages: {},
})

const loaded = new Set<Locale>()

export function isLocale(value: unknown): value is Locale {
  return LOCALES.includes(value as Locale)
}

/** What to start with: `?lang=`, the last choice in this browser, the browser's languages, English. */
export function preferredLocale(): Locale {
  const asked = new URLSearchParams(location.search).get('lang')
  const wanted = [asked, readStored(), ...navigator.languages.map((tag) => tag.split('-')[0])]
  return wanted.find(isLocale) ?? 'en'
}

/** A feature's messages stand under its id. Before the first `setLocale`. */
export function registerMessages(id: string, loaders: Loaders): void {
  parts.set(id, loaders)
}

export async function loadLocale(locale: Locale): Promise<void> {
  if (loaded.has(locale)) return
  const named = [...parts].map(async ([id, loaders]) => [id, (await loaders[locale]()).default] as const)
  const [base, ...rest] = await Promise.all([core[locale](), ...named])
  i18n.global.setLocaleMessage(locale, { ...base.default, ...Object.fromEntries(rest) } as LocaleMessage)
  loaded.add(locale)
}

/** Switches the whole page at once. Saving it to the account is the session store's part. */
export async function setLocale(locale: Locale): Promise<void> {
  await loadLocale(locale)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
  try {
    localStorage.setItem(STORED, locale)
  } catch {
    // private mode: it lasts for this page
  }
}

/** The page's language, for code outside components. */
export const clientLocale = computed(() => i18n.global.locale.value as Locale)

export function currentLocale(): Locale {
  return clientLocale.value
}

/** Texts, for code outside components. */
export const t = i18n.global.t

function readStored(): string | null {
  try {
    return localStorage.getItem(STORED)
  } catch {
    return null
  }
}
