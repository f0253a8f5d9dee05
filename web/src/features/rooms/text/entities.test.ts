import { describe, expect, it } from 'vitest'
import { decodeHTMLStrict } from './entities'

describe('character references', () => {
  it.each([
    ['&copy;', '©'],
    ['&amp;', '&'],
    ['&hearts;', '♥'],
  ])('%s is read as %s', (text, character) => {
    expect(decodeHTMLStrict(text)).toBe(character)
  })

  it.each(['&nosuchname;', '<img src=x onerror=alert(1)>', '&amp;<b>', 'plain', ''])('%s stays as it is', (text) => {
    expect(decodeHTMLStrict(text)).toBe(text)
  })
})
