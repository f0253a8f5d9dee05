import { computed, onScopeDispose, shallowRef, watchEffect, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute } from 'vue-router'
import { features } from '@/features'
import { useWorkspace } from './workspace'

const exact = shallowRef<(() => string | null | undefined) | null>(null)

/** The open thing's own name in the title, while the calling component is there. */
export function usePageTitle(title: () => string | null | undefined): void {
  exact.value = title
  onScopeDispose(() => {
    if (exact.value === title) exact.value = null
  })
}

/** "(3) Support · Acme · Kanal": what waits, the page, where. Once, at the root; returns it without what waits. */
export function useDocumentTitle(): Ref<string> {
  const { t } = useI18n()
  const route = useRoute()
  const workspace = useWorkspace()
  const badges = features.flatMap((feature) => feature.rail ?? []).map((entry) => entry.badge)

  const urgent = computed(() => badges.reduce((sum, badge) => sum + (workspace.id ? urgentCount(badge?.()) : 0), 0))
  const title = computed(() => {
    const page = exact.value?.() || (route.meta.title ? t(route.meta.title) : null)
    return [page, route.params.slug ? workspace.current?.name : null, 'Kanal'].filter(Boolean).join(' · ')
  })
  watchEffect(() => {
    document.title = (urgent.value ? `(${urgent.value > 99 ? '99+' : urgent.value}) ` : '') + title.value
  })
  return title
}

function urgentCount(badge: { count: number; urgent: boolean } | null | undefined): number {
  return badge?.urgent ? badge.count : 0
}
