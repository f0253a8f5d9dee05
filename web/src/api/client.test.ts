import { beforeEach, describe, expect, it, vi } from 'vitest'
import { api, call, configureClient } from './client'
import { ApiError } from './error'

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(body === null ? null : JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}
const refusal = (code: string, more = {}) => ({ error: { code, message: 'In words.', request_id: 'req-1', ...more } })

const fetched = vi.fn<(request: Request) => Promise<Response>>()
const lastRequest = () => fetched.mock.calls.at(-1)![0]

beforeEach(() => {
  fetched.mockReset()
  vi.stubGlobal('fetch', fetched)
  configureClient({ csrf: 'token', locale: () => 'ja', socketId: () => '1.2', signedOut: () => undefined })
})

describe('every request', () => {
  it('carries language and socket; the CSRF token only where something changes', async () => {
    fetched.mockImplementation(async () => answer(200, { items: [] }))
    await call(api.GET('/api/v1/workspaces'))
    expect(lastRequest().headers.get('accept-language')).toBe('ja')
    expect(lastRequest().headers.get('x-socket-id')).toBe('1.2')
    expect(lastRequest().headers.has('x-csrf-token')).toBe(false)

    await call(api.POST('/api/v1/workspaces', { body: { name: 'Acme' } }))
    expect(lastRequest().headers.get('x-csrf-token')).toBe('token')
  })
})

describe('a refusal becomes one ApiError', () => {
  async function refused(response: Response): Promise<ApiError> {
    fetched.mockResolvedValue(response)
    return (await call(api.GET('/api/v1/workspaces')).catch((error: unknown) => error)) as ApiError
  }

  it('with code, text, fields and request id', async () => {
    const error = await refused(answer(422, refusal('request.invalid', { fields: { name: ['Too long.'] } })))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({
      kind: 'invalid', code: 'request.invalid', message: 'In words.', requestId: 'req-1', fields: { name: ['Too long.'] }, retryable: false,
    })
  })

  it('with the wait of a rate limit, from the body or the header', async () => {
    expect(await refused(answer(429, refusal('rate.limited', { retry_after: 7 })))).toMatchObject({ kind: 'rate_limited', retryAfter: 7 })
    expect(await refused(answer(429, refusal('rate.limited'), { 'retry-after': '9' }))).toMatchObject({ retryAfter: 9, retryable: true })
  })

  it("also when the answer isn't ours", async () => {
    const error = await refused(new Response('<html>Bad gateway</html>', { status: 502, headers: { 'x-request-id': 'proxy-1' } }))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'http.502', requestId: 'proxy-1', fromServer: false })
  })

  it('tells no network apart from no answer', async () => {
    fetched.mockRejectedValue(new TypeError('Failed to fetch'))
    const online = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false)
    await expect(call(api.GET('/api/v1/workspaces'))).rejects.toMatchObject({ kind: 'offline' })
    online.mockReturnValue(true)
    await expect(call(api.GET('/api/v1/workspaces'))).rejects.toMatchObject({ kind: 'network' })
  })
})

describe('a session that ended', () => {
  it('is reported; wrong credentials are not', async () => {
    const signedOut = vi.fn()
    configureClient({ signedOut })
    fetched.mockImplementation(async () => answer(401, refusal('auth.invalid_credentials')))
    await expect(call(api.GET('/api/v1/workspaces'))).rejects.toThrow()
    expect(signedOut).not.toHaveBeenCalled()

    fetched.mockImplementation(async () => answer(401, refusal('auth.session_expired')))
    await expect(call(api.GET('/api/v1/workspaces'))).rejects.toThrow()
    expect(signedOut).toHaveBeenCalledOnce()
  })
})

describe('a CSRF token that is no longer right', () => {
  it('is renewed and the request sent once more, body and all', async () => {
    const bodies: string[] = []
    fetched.mockImplementation(async (request) => {
      if (request.method === 'GET') return answer(200, { csrf_token: 'new' })
      bodies.push(await request.text())
      return request.headers.get('x-csrf-token') === 'new' ? answer(201, { id: '1' }) : answer(403, refusal('csrf.failed'))
    })
    await call(api.POST('/api/v1/workspaces', { body: { name: 'Acme' } }))
    expect(bodies).toEqual(['{"name":"Acme"}', '{"name":"Acme"}'])
  })

  it('is not asked for again and again', async () => {
    fetched.mockImplementation(async (request) =>
      request.method === 'GET' ? answer(200, { csrf_token: 'still wrong' }) : answer(403, refusal('csrf.failed')),
    )
    await expect(call(api.POST('/api/v1/workspaces', { body: { name: 'Acme' } }))).rejects.toMatchObject({ code: 'csrf.failed' })
    expect(fetched).toHaveBeenCalledTimes(3)
  })

  it('is asked for first, and once, by a page that was opened without a network', async () => {
    configureClient({ csrf: '' })
    fetched.mockImplementation(async (request) =>
      request.method === 'GET' ? answer(200, { csrf_token: 'fresh' }) : answer(201, { token: request.headers.get('x-csrf-token') }),
    )
    const create = () => call(api.POST('/api/v1/workspaces', { body: { name: 'Acme' } }))
    expect(await Promise.all([create(), create()])).toEqual([{ token: 'fresh' }, { token: 'fresh' }])
    expect(fetched).toHaveBeenCalledTimes(3)
  })
})
