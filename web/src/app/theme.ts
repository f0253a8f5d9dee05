import { ref } from 'vue'
import type { Theme } from '@/api/types'

const STORED = 'kanal.theme' // public/theme.js reads it before the first paint

export const theme = ref<Theme>(read())

/** Saving it to the account is the session store's part. */
export function setTheme(next: Theme): void {
  theme.value = next
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
  try {
    localStorage.setItem(STORED, next)
  } catch {
    // private mode: it lasts for this page
  }
}

function read(): Theme {
  try {
    const stored = localStorage.getItem(STORED)
    return stored === 'light' || stored === 'dark' ? stored : 'system'
  } catch {
    return 'system'
  }
}
