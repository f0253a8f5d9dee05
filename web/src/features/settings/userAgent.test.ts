import { describe, expect, it } from 'vitest'
import { describeDevice } from './userAgent'

describe('what a browser calls itself', () => {
  it.each([
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0', 'Edge', 'Windows', false],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari', 'iPhone', true],
    ['Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36', 'Chrome', 'Android', true],
    ['curl/8.5.0', null, null, false],
  ])('%s', (userAgent, browser, system, mobile) => expect(describeDevice(userAgent)).toEqual({ browser, system, mobile }))
})
