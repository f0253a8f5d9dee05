import { onScopeDispose, ref, type Ref } from 'vue'

const PATIENCE_MS = 150 // faster answers shouldn't flash a placeholder

/** False at first, true once the wait is worth showing. */
export function useDelayed(after = PATIENCE_MS): Readonly<Ref<boolean>> {
  const shown = ref(false)
  const timer = setTimeout(() => (shown.value = true), after)
  onScopeDispose(() => clearTimeout(timer))
  return shown
}
