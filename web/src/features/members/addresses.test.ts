import { describe, expect, it } from 'vitest'
import { parseAddresses } from './addresses'

describe('pasted addresses', () => {
  it('come with commas, lines, names and doubles', () => {
    const pasted = 'Rina <Rina@Shop.example>, budi@shop.example;\n budi@shop.example\ndewi@shop.example ken@shop.example'
    expect(parseAddresses(pasted).good).toEqual(['rina@shop.example', 'budi@shop.example', 'dewi@shop.example', 'ken@shop.example'])
  })
  it('say which ones are none', () => {
    expect(parseAddresses('rina@shop, x@y.z').wrong).toEqual(['rina@shop'])
  })
})
