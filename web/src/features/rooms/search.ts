/** Finding people and rooms by what was typed. Case, accents and width don't matter. */

export function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase()
}

/** Every word must be found; better when it begins a word. 0 is no. */
export function matches(text: string, query: string): number {
  const folded = fold(text)
  let points = 1
  for (const word of fold(query).split(/\s+/).filter(Boolean)) {
    const at = folded.indexOf(word)
    if (at < 0) return 0
    points += at === 0 ? 3 : /[\s@._-]/.test(folded[at - 1]!) ? 2 : 1
  }
  return points
}

export function ranked<T>(items: readonly T[], query: string, textOf: (item: T) => string): T[] {
  if (!query.trim()) return [...items]
  return items
    .map((item) => ({ item, points: matches(textOf(item), query) }))
    .filter((one) => one.points > 0)
    .sort((a, b) => b.points - a.points)
    .map((one) => one.item)
}
