import { afterEach, describe, expect, it, vi } from 'vitest'
import { actOnToast, dismissToast, toast, toasts } from './toast'

afterEach(() => toasts.splice(0))

describe('a notice with undo', () => {
  it('does the thing when it goes', () => {
    const onGone = vi.fn()
    dismissToast(toast('Removed', { onGone, action: { label: 'Undo', run: vi.fn() } }))
    expect(onGone).toHaveBeenCalledOnce()
  })

  it("doesn't when it was undone", () => {
    const onGone = vi.fn()
    const run = vi.fn()
    actOnToast(toast('Removed', { onGone, action: { label: 'Undo', run } }))
    expect(run).toHaveBeenCalledOnce()
    expect(onGone).not.toHaveBeenCalled()
  })

  it('does it when newer notices push it out or the page is left', () => {
    const onGone = vi.fn()
    toast('First', { onGone })
    for (const text of ['2', '3', '4']) toast(text)
    expect(onGone).toHaveBeenCalledOnce()
    const left = vi.fn()
    toast('Last', { onGone: left })
    window.dispatchEvent(new Event('pagehide'))
    expect(left).toHaveBeenCalledOnce()
  })
})
