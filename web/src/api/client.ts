import createClient from 'openapi-fetch'
import { ApiError, errorFromAnswer, errorFromFailure, isAbort } from './error'
import type { paths } from './schema'
import type { Session } from './types'

/** What the app tells the client about itself; read at each request, so the client holds no copy. */
interface Context {
  /** '' when somebody is signed in whose token isn't known yet: the page was opened without a network */
  csrf: string | null
  locale: () => string
  socketId: () => string | null | undefined
  signedOut: (error: ApiError) => void
}

const context: Context = {
  csrf: null,
  locale: () => 'en',
  socketId: () => null,
  signedOut: () => undefined,
}

export function configureClient(changes: Partial<Context>): void {
  Object.assign(context, changes)
}

const SAFE_METHODS = new Set(['GET', 'HEAD'])

/** The headers every request carries, also the uploads that go by XMLHttpRequest. */
export function requestHeaders(method: string): Record<string, string> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': context.locale() }
  if (!SAFE_METHODS.has(method) && context.csrf) headers['X-CSRF-Token'] = context.csrf
  const socket = context.socketId()
  if (socket) headers['X-Socket-ID'] = socket
  return headers
}

export async function send(request: Request): Promise<Response> {
  if (SAFE_METHODS.has(request.method)) return attempt(request)
  return withCsrf(() => attempt(request.clone()))
}

/** Something that changes data. Signing in elsewhere in this browser changed the token: fetch the new one, ask once more. */
export async function withCsrf<T>(ask: () => Promise<T>): Promise<T> {
  if (context.csrf === '') await renewCsrf()
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ApiError && error.code === 'csrf.failed' && (await renewCsrf())) return ask()
    throw error
  }
}

async function attempt(request: Request): Promise<Response> {
  for (const [name, value] of Object.entries(requestHeaders(request.method))) request.headers.set(name, value)
  let response: Response
  try {
    response = await fetch(request)
  } catch (error) {
    if (isAbort(error)) throw error
    throw errorFromFailure(navigator.onLine)
  }
  if (response.ok) return response
  throw reportSignedOut(errorFromAnswer(response.status, response.headers, await readJson(response)))
}

/** A session that ended is news for the whole app; wrong credentials on the sign-in page are not. */
export function reportSignedOut(error: ApiError): ApiError {
  if (error.kind === 'unauthenticated' && error.code !== 'auth.invalid_credentials') context.signedOut(error)
  return error
}

let renewing: Promise<boolean> | null = null

/** One question, however many wait for its answer. */
function renewCsrf(): Promise<boolean> {
  renewing ??= askForCsrf().finally(() => (renewing = null))
  return renewing
}

async function askForCsrf(): Promise<boolean> {
  try {
    const response = await attempt(new Request('/api/v1/auth/user', { credentials: 'same-origin' }))
    context.csrf = ((await response.json()) as Session).csrf_token
    return true
  } catch {
    return false
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return null // a proxy's HTML page
  }
}

/** Typed by the API's own description; rejects with `ApiError`, never resolves with `error`. */
export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  credentials: 'same-origin',
  fetch: send,
})

/** `const room = await call(api.GET('/api/v1/…', { params }))`: the body itself. */
export async function call<T>(pending: Promise<{ data?: T }>): Promise<T> {
  const { data } = await pending
  return data as T
}
