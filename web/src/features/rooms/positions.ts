import type { Id } from './types'

/** Where one was reading in each room, for as long as the page lives; none is the end. */
export const positions = new Map<Id, number>()
