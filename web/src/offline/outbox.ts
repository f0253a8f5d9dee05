/**
 * What was done here and has to reach the server, kept on disk until it has.
 *
 * Jobs of one lane go out one after the other in the order they were written; lanes don't wait for each other. One tab of
 * the browser sends (it holds a lock); the others write their jobs down and tell it. A job that the server refuses for
 * good is set aside, so it doesn't hold up what was written after it. A job may be performed twice when the page dies
 * between the answer and the disk: `perform` must be safe to repeat (the server knows the message by its client id).
 */
import { backoff } from '@/realtime/backoff'

export interface Job<Payload = unknown> {
  id: string
  lane: string
  /** order of writing */
  order: number
  /** epoch milliseconds; it can be taken back until then */
  notBefore: number
  payload: Payload
  failure: { code: string; message: string } | null
}

export interface JobStore<Payload> {
  all: () => Promise<Job<Payload>[]>
  put: (job: Job<Payload>) => Promise<void>
  remove: (id: string) => Promise<void>
}

export type Verdict = { retry: true; after?: number } | { retry: false; code: string; message: string }

export interface OutboxOptions<Payload> {
  store: JobStore<Payload>
  /** Resolves to what the other tabs should know. `keep` writes progress of the job to disk. */
  perform: (job: Job<Payload>, keep: (payload: Payload) => Promise<void>) => Promise<unknown>
  /** `attempt` counts the failures in a row, from 0. */
  judge: (error: unknown, attempt: number) => Verdict
  /** Refused for good. True keeps the job for a retry by hand. */
  onRefused: (job: Job<Payload>, failure: { code: string; message: string }) => boolean
  onDone: (job: Job<Payload>, result: unknown) => void
  onCount?: (waiting: number) => void
  /** Runs `hold` in one tab only, until the signal fires. */
  lead: (hold: () => Promise<void>) => void
  /** To and from the other tabs. */
  channel?: Pick<BroadcastChannel, 'postMessage' | 'close'> & { onmessage: ((event: MessageEvent) => void) | null }
  now?: () => number
  random?: () => number
}

type News = { type: 'changed' } | { type: 'done' | 'refused'; id: string; result?: unknown; failure?: Job['failure'] }

export class Outbox<Payload> {
  private jobs = new Map<string, Job<Payload>>()
  private readonly busy = new Set<string>()
  /** not on disk, because the disk refused */
  private readonly unsaved = new Set<string>()
  private readonly attempts = new Map<string, number>()
  /** Lanes that wait after a failure, and until when. */
  private readonly resting = new Map<string, number>()
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>()
  private leading = false
  private stopped = false
  private release: () => void = () => undefined

  constructor(private readonly options: OutboxOptions<Payload>) {
    if (options.channel) options.channel.onmessage = (event) => void this.hear(event.data as News)
  }

  /** Reads the disk and, once it is this tab's turn, sends. Resolves with what was waiting. */
  async start(): Promise<Job<Payload>[]> {
    await this.reload()
    this.options.lead(async () => {
      if (this.stopped) return
      await this.reload()
      this.leading = true
      this.kick()
      await new Promise<void>((resolve) => (this.release = resolve))
    })
    return this.list()
  }

  list(): Job<Payload>[] {
    return [...this.jobs.values()].sort((a, b) => a.order - b.order)
  }

  get(id: string): Job<Payload> | undefined {
    return this.jobs.get(id)
  }

  async add(job: Pick<Job<Payload>, 'id' | 'lane' | 'payload'> & { notBefore?: number }): Promise<void> {
    const last = Math.max(0, ...[...this.jobs.values()].map((one) => one.order))
    const order = Math.max(this.now(), last + 1)
    const whole: Job<Payload> = { notBefore: 0, failure: null, ...job, order }
    this.jobs.set(whole.id, whole)
    this.count()
    await this.keep(whole)
    if (this.leading) this.pump(whole.lane)
    else this.tell({ type: 'changed' })
  }

  /** True when it was taken back before it went out. */
  async cancel(id: string): Promise<boolean> {
    const job = this.jobs.get(id)
    if (!job || this.busy.has(id)) return false
    await this.drop(job)
    this.tell({ type: 'changed' })
    return true
  }

  async retry(id: string): Promise<void> {
    const job = this.jobs.get(id)
    if (!job) return
    const again = { ...job, failure: null }
    this.jobs.set(id, again)
    this.count()
    await this.keep(again)
    if (this.leading) this.kick() // somebody waits for it now
    else this.tell({ type: 'changed' })
  }

  /** The network is back: no more waiting. */
  kick(): void {
    if (!this.leading) return this.tell({ type: 'changed' })
    this.attempts.clear()
    this.resting.clear()
    for (const lane of new Set([...this.jobs.values()].map((job) => job.lane))) this.pump(lane)
  }

  stop(): void {
    this.stopped = true
    this.leading = false
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.options.channel?.close()
    this.release()
  }

  private async reload(): Promise<void> {
    let stored: Job<Payload>[]
    try {
      stored = await this.options.store.all()
    } catch {
      return
    }
    const disk = new Map(stored.map((job) => [job.id, job]))
    for (const id of this.jobs.keys()) if (!disk.has(id) && !this.busy.has(id) && !this.unsaved.has(id)) this.jobs.delete(id)
    for (const job of stored) if (!this.busy.has(job.id)) this.jobs.set(job.id, job)
    this.count()
  }

  private async hear(news: News): Promise<void> {
    if (news.type === 'changed') {
      if (!this.leading) return
      await this.reload()
      return this.kick()
    }
    const job = this.jobs.get(news.id)
    if (!job) return
    this.jobs.delete(news.id)
    if (news.type === 'done') this.options.onDone(job, news.result)
    else if (news.failure && this.options.onRefused(job, news.failure)) {
      this.jobs.set(job.id, { ...job, failure: news.failure })
    }
    this.count()
  }

  private pump(lane: string): void {
    if (!this.leading || this.busyLane(lane)) return
    clearTimeout(this.timers.get(lane))
    const now = this.now()
    const next = this.list().find((job) => job.lane === lane && !job.failure)
    if (!next) return
    const due = Math.max(next.notBefore, this.resting.get(lane) ?? 0)
    if (due > now) this.timers.set(lane, setTimeout(() => this.pump(lane), due - now))
    else void this.run(next)
  }

  private busyLane(lane: string): boolean {
    return [...this.busy].some((id) => this.jobs.get(id)?.lane === lane)
  }

  private async run(job: Job<Payload>): Promise<void> {
    this.busy.add(job.id)
    try {
      const result = await this.options.perform(job, async (payload) => {
        job = { ...job, payload }
        this.jobs.set(job.id, job)
        await this.keep(job)
      })
      this.busy.delete(job.id)
      this.attempts.delete(job.lane)
      await this.drop(job)
      if (!this.stopped) this.options.onDone(job, result)
      this.tell({ type: 'done', id: job.id, result })
    } catch (error) {
      this.busy.delete(job.id)
      if (this.stopped) return
      const verdict = this.options.judge(error, this.attempts.get(job.lane) ?? 0)
      if (verdict.retry) return this.postpone(job.lane, verdict.after)
      this.attempts.delete(job.lane)
      await this.refuse(job, { code: verdict.code, message: verdict.message })
    }
    if (!this.stopped) this.pump(job.lane)
  }

  private postpone(lane: string, after?: number): void {
    const attempt = this.attempts.get(lane) ?? 0
    this.attempts.set(lane, attempt + 1)
    const delay = after ?? backoff(attempt, { random: this.options.random, cap: 30_000 })
    this.resting.set(lane, this.now() + delay)
    this.pump(lane)
  }

  private async refuse(job: Job<Payload>, failure: { code: string; message: string }): Promise<void> {
    if (this.options.onRefused(job, failure)) {
      const aside = { ...job, failure }
      this.jobs.set(job.id, aside)
      await this.keep(aside)
    } else {
      await this.drop(job)
    }
    this.count()
    this.tell({ type: 'refused', id: job.id, failure })
  }

  private async keep(job: Job<Payload>): Promise<void> {
    try {
      await this.options.store.put(job)
      this.unsaved.delete(job.id)
    } catch {
      this.unsaved.add(job.id) // it lives as long as the page
    }
  }

  private async drop(job: Job<Payload>): Promise<void> {
    this.jobs.delete(job.id)
    this.unsaved.delete(job.id)
    this.count()
    await this.options.store.remove(job.id).catch(() => undefined)
  }

  private count(): void {
    this.options.onCount?.([...this.jobs.values()].filter((job) => !job.failure).length)
  }

  private tell(news: News): void {
    this.options.channel?.postMessage(news)
  }

  private now(): number {
    return (this.options.now ?? Date.now)()
  }
}
