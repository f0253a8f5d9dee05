import type { ErrorBody } from './types'

/** What the page has to do differently; the exact case is in `code`. */
export type ErrorKind =
  | 'offline' // no connection on this side
  | 'network' // asked, no answer: server down, proxy, time-out
  | 'invalid' // 400, 413 and 422: the input has to change
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'gone' // 410: this cursor is too old
  | 'rate_limited'
  | 'unavailable' // 502, 503, 504: try again soon
  | 'server' // any other 5xx, or an answer that isn't ours

const KIND_BY_STATUS: Record<number, ErrorKind> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  410: 'gone',
  413: 'invalid',
  415: 'invalid',
  422: 'invalid',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
}

interface Parts {
  kind: ErrorKind
  code: string
  message: string
  status?: number
  fields?: Record<string, string[]>
  requestId?: string
  retryAfter?: number
}

/** The one form every failed request takes in the app. `message` is for people when `fromServer`. */
export class ApiError extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly status: number
  readonly fields: Record<string, string[]>
  readonly requestId: string | null
  /** Seconds. */
  readonly retryAfter: number | null

  constructor(parts: Parts) {
    super(parts.message)
    this.name = 'ApiError'
    this.kind = parts.kind
    this.code = parts.code
    this.status = parts.status ?? 0
    this.fields = parts.fields ?? {}
    this.requestId = parts.requestId ?? null
    this.retryAfter = parts.retryAfter ?? null
  }

  /** Asking again without changing anything may help. */
  get retryable(): boolean {
    return ['offline', 'network', 'unavailable', 'rate_limited', 'server'].includes(this.kind)
  }

  /** The server wrote the text, in the person's language. */
  get fromServer(): boolean {
    return this.status > 0 && this.message !== ''
  }
}

export function isApiError(error: unknown): error is ApiError {
  return error instanceof ApiError
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

export function errorFromAnswer(status: number, headers: Headers, body: unknown): ApiError {
  const kind = KIND_BY_STATUS[status] ?? 'server'
  const known = readBody(body)
  return new ApiError({
    kind,
    status,
    code: known?.code ?? `http.${status}`,
    message: known?.message ?? '',
    fields: known?.fields ?? {},
    requestId: known?.request_id ?? headers.get('x-request-id') ?? undefined,
    retryAfter: known?.retry_after ?? secondsFrom(headers.get('retry-after')),
  })
}

export function errorFromFailure(online: boolean): ApiError {
  return online
    ? new ApiError({ kind: 'network', code: 'client.network', message: '' })
    : new ApiError({ kind: 'offline', code: 'client.offline', message: '' })
}

function readBody(body: unknown): ErrorBody['error'] | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null
  const error = (body as ErrorBody).error
  return typeof error?.code === 'string' ? error : null
}

function secondsFrom(header: string | null): number | undefined {
  const seconds = Number(header)
  return header && Number.isFinite(seconds) ? seconds : undefined
}
