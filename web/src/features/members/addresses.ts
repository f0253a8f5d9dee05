/** Pasted lists come with commas, semicolons, lines, and "Name <address>"; the server says what an address is. */
export function parseAddresses(text: string): { good: string[]; wrong: string[] } {
  const parts = text.split(/[\n,;]+/).map((part) => (/<([^<>]+)>/.exec(part)?.[1] ?? part).trim().toLowerCase())
  const words = parts.flatMap((part) => part.split(/\s+/)).filter(Boolean)
  const unique = [...new Set(words)]
  const looksRight = (word: string) => /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(word)
  return { good: unique.filter(looksRight), wrong: unique.filter((word) => !looksRight(word)) }
}
