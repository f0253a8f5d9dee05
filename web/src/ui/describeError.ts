import type { Composer } from 'vue-i18n'
import { isApiError, type ErrorKind } from '@/api/error'

export interface Described {
  /** What happened. */
  title: string
  /** What to do about it. */
  advice: string
  requestId: string | null
  retryable: boolean
}

type Translate = Composer['t']

/** Anything that was thrown, in words for people. The server's own text wins: it knows the case. */
export function describeError(error: unknown, t: Translate): Described {
  if (!isApiError(error)) {
    return { title: t('errors.unexpected.title'), advice: t('errors.unexpected.advice'), requestId: null, retryable: true }
  }
  const known = texts(error.kind, t, error.retryAfter)
  return {
    title: error.fromServer && error.kind !== 'server' ? error.message : known.title,
    advice: known.advice,
    requestId: error.requestId,
    retryable: error.retryable,
  }
}

/** One line, for a toast. */
export function errorLine(error: unknown, t: Translate): string {
  const { title, advice } = describeError(error, t)
  return isApiError(error) && error.fromServer && error.kind !== 'server' ? title : `${title} ${advice}`
}

function texts(kind: ErrorKind, t: Translate, seconds: number | null): { title: string; advice: string } {
  switch (kind) {
    case 'offline':
      return { title: t('errors.offline.title'), advice: t('errors.offline.advice') }
    case 'network':
      return { title: t('errors.network.title'), advice: t('errors.network.advice') }
    case 'invalid':
      return { title: t('errors.invalid.title'), advice: t('errors.invalid.advice') }
    case 'unauthenticated':
      return { title: t('errors.unauthenticated.title'), advice: t('errors.unauthenticated.advice') }
    case 'forbidden':
      return { title: t('errors.forbidden.title'), advice: t('errors.forbidden.advice') }
    case 'not_found':
      return { title: t('errors.not_found.title'), advice: t('errors.not_found.advice') }
    case 'conflict':
    case 'gone':
      return { title: t('errors.conflict.title'), advice: t('errors.conflict.advice') }
    case 'rate_limited':
      return { title: t('errors.rate_limited.title'), advice: t('errors.rate_limited.advice', { seconds: seconds ?? 60 }) }
    case 'unavailable':
      return { title: t('errors.unavailable.title'), advice: t('errors.unavailable.advice') }
    case 'server':
      return { title: t('errors.server.title'), advice: t('errors.server.advice') }
  }
}
