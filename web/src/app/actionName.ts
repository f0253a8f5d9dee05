import { useI18n } from 'vue-i18n'

/**
 * `member.role_changed` in words, whose place `keyOf` says; an action this version doesn't know yet is shown as it is,
 * readably.
 */
export function useActionName(keyOf: (name: string) => string): (action: string) => string {
  const { t, te, locale } = useI18n()
  return (action) => {
    const key = keyOf(action.replaceAll('.', '_'))
    return te(key, locale.value) ? t(key) : action.replaceAll(/[._]/g, ' ')
  }
}
