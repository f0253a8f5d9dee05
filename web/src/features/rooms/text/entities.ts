/**
 * Stands in for the package `entities` in markdown-it (see vite.config.ts): the browser knows the names of all characters
 * itself, a table of them would be 16 kB of script.
 */
const REFERENCE = /^&[a-z][a-z0-9]{1,31};$/i
let reader: HTMLTextAreaElement | undefined

/** `&copy;` → `©`; anything but one named character reference is answered as it is. */
export function decodeHTMLStrict(text: string): string {
  if (!REFERENCE.test(text)) return text
  reader ??= document.createElement('textarea')
  reader.innerHTML = text
  return reader.value
}
