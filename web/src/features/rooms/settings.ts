/** Choices of this browser. */
import { useLocalStorage } from '@vueuse/core'

export const soundOn = useLocalStorage('kanal.rooms.sound', true)
/** The browser's permission is asked for by a click only; this is the switch on top of it. */
export const desktopOn = useLocalStorage('kanal.rooms.desktop', true)
/** Enter sends; otherwise it breaks the line and Ctrl/Cmd-Enter sends. */
export const enterSends = useLocalStorage('kanal.rooms.enterSends', true)
/** Emoji used last, newest first. */
export const recentEmoji = useLocalStorage<string[]>('kanal.rooms.emoji', ['👍', '❤️', '😂', '🙏', '🎉', '👀'])

export function rememberEmoji(emoji: string): void {
  recentEmoji.value = [emoji, ...recentEmoji.value.filter((known) => known !== emoji)].slice(0, 24)
}
