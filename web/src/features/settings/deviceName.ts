import { useI18n } from 'vue-i18n'
import { describeDevice } from './userAgent'

/** "Firefox on Windows", from a User-Agent header. */
export function useDeviceName(): (userAgent: string) => string {
  const { t } = useI18n()
  return (userAgent) => {
    const { browser, system } = describeDevice(userAgent)
    if (browser && system) return t('settings.sessions.on', { browser, system })
    return browser ?? system ?? (userAgent || t('settings.sessions.unknown'))
  }
}
