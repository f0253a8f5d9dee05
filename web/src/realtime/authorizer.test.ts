import { describe, expect, it, vi } from 'vitest'
import { batchingAuthorizer, Refused } from './authorizer'

const grant = (name: string) => ({ status: 200, data: { auth: `key:${name}`, channel_data: '{"user_id":"u"}' } })

function ask(authorize: ReturnType<typeof batchingAuthorizer>, channelName: string, socketId = '1.1') {
  return new Promise((resolve, reject) => {
    authorize({ socketId, channelName }, (error, data) => (error ? reject(error) : resolve(data)))
  })
}

describe('authorising channels', () => {
  it('asks once for all channels of one tick', async () => {
    const post = vi.fn(async (_: string, names: string[]) => Object.fromEntries(names.map((name) => [name, grant(name)])))
    const authorize = batchingAuthorizer(post)
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => ask(authorize, name)))
    expect(post).toHaveBeenCalledTimes(1)
    expect(post).toHaveBeenCalledWith('1.1', ['a', 'b', 'c'])
    expect(answers).toEqual([grant('a').data, grant('b').data, grant('c').data])
  })

  it('asks for at most a hundred at a time', async () => {
    const sizes: number[] = []
    const authorize = batchingAuthorizer(async (_, names) => {
      sizes.push(names.length)
      return Object.fromEntries(names.map((name) => [name, grant(name)]))
    })
    await Promise.all(Array.from({ length: 230 }, (_, i) => ask(authorize, `c${i}`)))
    expect(sizes).toEqual([100, 100, 30])
  })

  it('tells the refused ones apart', async () => {
    const authorize = batchingAuthorizer(async () => ({ a: grant('a'), b: { status: 403 } }))
    const [a, b] = await Promise.allSettled([ask(authorize, 'a'), ask(authorize, 'b')])
    expect(a.status).toBe('fulfilled')
    expect(b.status === 'rejected' && b.reason).toBeInstanceOf(Refused)
  })

  it('a failed request fails every channel in it and no later one', async () => {
    let broken = true
    const authorize = batchingAuthorizer(async (_, names) => {
      if (broken) throw new Error('no network')
      return Object.fromEntries(names.map((name) => [name, grant(name)]))
    })
    await expect(ask(authorize, 'a')).rejects.toThrow('no network')
    broken = false
    await expect(ask(authorize, 'a')).resolves.toEqual(grant('a').data)
  })
})
