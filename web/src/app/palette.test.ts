import { describe, expect, it } from 'vitest'
import type { Command } from './feature'
import { grouped, search } from './palette'

const command = (label: string, more: Partial<Command> = {}): Command => ({ id: label, label, group: 'Pages', run: () => undefined, ...more })
const labels = (commands: Command[], query: string) => search(commands, query).map((found) => found.label)

describe('the command palette', () => {
  it('shows everything in its own order when nothing is typed', () => {
    expect(labels([command('Rooms'), command('Members')], '')).toEqual(['Rooms', 'Members'])
  })

  it('puts beginnings before middles', () => {
    expect(labels([command('Leave room'), command('Rooms')], 'ro')).toEqual(['Rooms', 'Leave room'])
  })

  it('wants every word, in any order, in label or keywords', () => {
    const all = [command('Send invitation', { keywords: 'colleague' }), command('Send message')]
    expect(labels(all, 'inv send')).toEqual(['Send invitation'])
    expect(labels(all, 'colleague')).toEqual(['Send invitation'])
  })

  it('forgives left-out letters', () => {
    expect(labels([command('Audit log'), command('Members')], 'mbrs')).toEqual(['Members'])
  })

  it('looks past case, accents and width', () => {
    expect(labels([command('Café')], 'cafe')).toEqual(['Café'])
    expect(labels([command('ジョン')], 'ｼﾞｮ')).toEqual(['ジョン'])
  })

  it('groups in the order of the best hit', () => {
    const hits = search([command('Go to settings'), command('Settings', { group: 'People' })], 'settings')
    expect(grouped(hits).map((group) => group.name)).toEqual(['People', 'Pages'])
  })
})
