/**
 * Catching up with the event log after any gap: read it from the cursor until nothing more comes, then go on live. What
 * arrives live in the meantime waits and is applied after it.
 *
 * Only reading the log moves the cursor. A live event may be lost or overtake another, so its position proves nothing
 * about those before it.
 */
import { backoff } from './backoff'

export interface StreamEvent {
  name: string
  /** position in the log */
  sequence: number
  data: Record<string, unknown>
}

export interface EventPage {
  events: StreamEvent[]
  cursor: number
  more: boolean
}

export interface CatchUpOptions {
  fetch: (after: number) => Promise<EventPage>
  apply: (events: StreamEvent[]) => void
  /** Reads everything anew and returns the cursor it was read at. */
  resync: () => Promise<number>
  /** The log no longer reaches back to the cursor. */
  isExpired: (error: unknown) => boolean
  /** Worth trying again with the same connection. */
  isTemporary: (error: unknown) => boolean
  onCaughtUp?: (cursor: number) => void
  random?: () => number
}

/** Beyond this, reading everything anew is cheaper than replaying. */
const AT_MOST_PAGES = 12
const ATTEMPTS = 6

export class CatchUp {
  cursor: number
  private buffer: StreamEvent[] = []
  private running: Promise<void> | null = null
  private reading = false
  private again = false
  private stopped = false

  constructor(
    cursor: number,
    private readonly options: CatchUpOptions,
  ) {
    this.cursor = cursor
  }

  live(event: StreamEvent): void {
    if (this.reading) this.buffer.push(event)
    else this.options.apply([event])
  }

  /** One at a time; asked for while running, it runs once more. */
  run(): Promise<void> {
    if (this.stopped) return Promise.resolve()
    if (this.running) {
      this.again = true
      return this.running
    }
    this.running = this.loop().finally(() => {
      this.running = null
    })
    return this.running
  }

  stop(): void {
    this.stopped = true
    this.buffer = []
  }

  private async loop(): Promise<void> {
    this.reading = true
    try {
      do {
        this.again = false
        await this.insist()
      } while (this.again && !this.stopped)
    } finally {
      this.reading = false
      const waiting = this.buffer
      this.buffer = []
      if (waiting.length && !this.stopped) this.options.apply(waiting)
    }
  }

  private async insist(): Promise<void> {
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        await this.read()
        if (!this.stopped) this.options.onCaughtUp?.(this.cursor)
        return
      } catch (error) {
        if (!this.options.isTemporary(error) || attempt + 1 >= ATTEMPTS) throw error
        await new Promise((resolve) => setTimeout(resolve, backoff(attempt, { random: this.options.random })))
      }
    }
  }

  private async read(): Promise<void> {
    let resynced = false
    for (let pages = 1; !this.stopped; pages++) {
      const page = await this.page()
      if (!resynced && (page === null || pages > AT_MOST_PAGES)) {
        this.cursor = await this.options.resync()
        resynced = true
        continue
      }
      if (page === null) return // expired again at once: the next check asks anew
      if (this.stopped) return
      this.options.apply(page.events)
      this.cursor = Math.max(this.cursor, page.cursor)
      if (!page.more) return
    }
  }

  private async page(): Promise<EventPage | null> {
    try {
      return await this.options.fetch(this.cursor)
    } catch (error) {
      if (this.options.isExpired(error)) return null
      throw error
    }
  }
}
