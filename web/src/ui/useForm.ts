import { computed, nextTick, ref, shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { isApiError } from '@/api/error'
import { describeError } from './describeError'

/**
 * Sends a form: one request at a time, the server's field errors beside their fields, the rest in `problem`.
 * The focus goes to the first field that has to change.
 */
export function useForm(send: () => Promise<unknown>) {
  const { t } = useI18n()
  const pending = ref(false)
  const error = shallowRef<unknown>(null)
  const form = shallowRef<HTMLFormElement | null>(null)

  const fields = computed<Record<string, string[]>>(() => (isApiError(error.value) ? error.value.fields : {}))
  /** Shown above the form: what isn't already said beside a field. */
  const problem = computed(() => {
    if (!error.value || Object.keys(fields.value).length > 0) return null
    const described = describeError(error.value, t)
    return isApiError(error.value) && error.value.fromServer && error.value.kind !== 'server' ? { ...described, advice: '' } : described
  })

  async function submit(event?: Event): Promise<boolean> {
    if (event?.currentTarget instanceof HTMLFormElement) form.value = event.currentTarget
    if (pending.value) return false
    pending.value = true
    error.value = null
    try {
      await send()
      return true
    } catch (failed) {
      error.value = failed
      await nextTick()
      form.value?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
      return false
    } finally {
      pending.value = false
    }
  }

  function clear(): void {
    error.value = null
  }

  return { pending, error, fields, problem, submit, clear }
}
