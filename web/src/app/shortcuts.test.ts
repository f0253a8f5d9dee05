import { effectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handleShortcut, inChord, useShortcut } from './shortcuts'

const scope = effectScope()
const run = { palette: vi.fn(), rooms: vi.fn(), help: vi.fn() }

function press(key: string, more: KeyboardEventInit = {}, target: HTMLElement = document.body): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more })
  target.addEventListener('keydown', (seen) => handleShortcut(seen as KeyboardEvent), { once: true })
  target.dispatchEvent(event)
  return event
}

beforeEach(() => {
  Object.values(run).forEach((spy) => spy.mockReset())
  scope.run(() => {
    useShortcut({ keys: 'mod k', label: '', group: '', whileTyping: true, run: run.palette })
    useShortcut({ keys: 'g r', label: '', group: '', run: run.rooms })
    useShortcut({ keys: '?', label: '', group: '', run: run.help })
  })
})
afterEach(() => vi.useRealTimers())

describe('shortcuts', () => {
  it('take Ctrl and ⌘ alike, and keep the browser from its own', () => {
    expect(press('k', { ctrlKey: true }).defaultPrevented).toBe(true)
    press('k', { metaKey: true })
    expect(run.palette).toHaveBeenCalledTimes(2)
  })

  it('know a shifted sign by itself', () => {
    press('?', { shiftKey: true })
    expect(run.help).toHaveBeenCalledOnce()
  })

  it('take two letters one after the other, not too slowly', () => {
    vi.useFakeTimers()
    press('g')
    press('r')
    expect(run.rooms).toHaveBeenCalledOnce()
    press('g')
    vi.advanceTimersByTime(2_000)
    press('r')
    expect(run.rooms).toHaveBeenCalledOnce()
  })

  it('own the second letter, whatever the place where it is pressed does with it', () => {
    press('x')
    expect(inChord()).toBe(false)
    press('g')
    expect(inChord()).toBe(true)
    press('r')
    expect(inChord()).toBe(false)
  })

  it('leave letters alone while somebody types', () => {
    const input = document.body.appendChild(document.createElement('input'))
    press('?', {}, input)
    press('k', { ctrlKey: true }, input)
    expect(run.help).not.toHaveBeenCalled()
    expect(run.palette).toHaveBeenCalledOnce()
  })
})
