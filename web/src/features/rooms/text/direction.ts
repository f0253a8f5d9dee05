const STRONG = /\p{L}/u
/** Hebrew, Arabic, Syriac, Thaana, N'Ko and their kin. */
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u

/** Whether the last paragraph runs from right to left, as `dir="auto"` decides it: by its first letter. */
export function endsRightToLeft(text: string): boolean {
  const last = text.trimEnd().split(/\n\s*\n/).at(-1)!
  const letter = STRONG.exec(last)?.[0]
  return letter !== undefined && RIGHT_TO_LEFT.test(letter)
}
