import { ref } from 'vue'
import type { Command } from './feature'

export const paletteOpen = ref(false)

/**
 * How well a command answers what was typed; 0 is not at all. Every word must be found. Beginnings of words
 * count most, then any place, then letters in order ("snd inv" finds "Send invitation").
 */
export function score(command: Command, query: string): number {
  const words = fold(query).split(/\s+/).filter(Boolean)
  if (words.length === 0) return 1
  const label = fold(command.label)
  const rest = fold(`${command.keywords ?? ''} ${command.group}`)
  let total = 0
  for (const word of words) {
    const points = inText(label, word) * 2 || inText(rest, word)
    if (points === 0) return 0
    total += points
  }
  return total + (label.startsWith(words[0]!) ? 5 : 0) + 1 / (label.length + 1)
}

export function search(commands: Command[], query: string, limit = 60): Command[] {
  return commands
    .map((command, index) => ({ command, index, points: score(command, query) }))
    .filter((entry) => entry.points > 0)
    .sort((a, b) => b.points - a.points || a.index - b.index)
    .slice(0, limit)
    .map((entry) => entry.command)
}

/** Groups in the order of their best command. */
export function grouped(commands: Command[]): { name: string; commands: Command[] }[] {
  const groups = new Map<string, Command[]>()
  for (const command of commands) groups.set(command.group, [...(groups.get(command.group) ?? []), command])
  return [...groups].map(([name, list]) => ({ name, commands: list }))
}

function inText(text: string, word: string): number {
  if (text === word) return 10
  if (text.startsWith(word) || text.includes(` ${word}`)) return 6
  if (text.includes(word)) return 3
  return word.length > 2 && inOrder(text, word) ? 1 : 0
}

function inOrder(text: string, word: string): boolean {
  let from = 0
  for (const letter of word) {
    const found = text.indexOf(letter, from)
    if (found < 0) return false
    from = found + letter.length
  }
  return true
}

/** Case, accents and width don't matter: "ジョ" finds "ｼﾞｮ", "cafe" finds "Café". */
function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}
