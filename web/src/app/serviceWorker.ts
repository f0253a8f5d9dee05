import { currentLocale, LOCALES } from './i18n'

const SETTLED_MS = 4_000 // the pages' own requests come first

/** What the build wrote, by source; public/sw.js is told to keep it, so that every page opens offline. */
type Manifest = Record<string, { file: string; css?: string[]; assets?: string[] }>

/** Needs https or localhost. */
export async function startServiceWorker(): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  try {
    await navigator.serviceWorker.register('/sw.js')
    const { active } = await navigator.serviceWorker.ready
    setTimeout(async () => active?.postMessage({ files: await builtFiles() }), SETTLED_MS)
  } catch {
    // private windows refuse it: the app works, it just doesn't open offline
  }
}

/** All but the other languages and what is a convenience of its own weight (the emoji's names). */
async function builtFiles(): Promise<string[]> {
  const manifest = await readManifest()
  const others = LOCALES.filter((locale) => locale !== currentLocale())
  const wanted = Object.entries(manifest).filter(([source]) => !others.some((locale) => source.includes(`/${locale}.json`)) && !/\/words\./.test(source))
  const files = wanted.flatMap(([, entry]) => [entry.file, ...(entry.css ?? []), ...(entry.assets ?? [])])
  return ['/', '/theme.js', '/icon.svg', ...new Set(files.map((file) => `/${file}`))]
}

async function readManifest(): Promise<Manifest> {
  try {
    // eslint-disable-next-line no-restricted-globals -- a file of the app, not a question to the API
    const response = await fetch('/files.json')
    return response.ok ? ((await response.json()) as Manifest) : {}
  } catch {
    return {} // opened offline: what is kept is kept
  }
}
