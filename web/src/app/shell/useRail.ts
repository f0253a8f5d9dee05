import { computed } from 'vue'
import { useRoute, type RouteLocationRaw } from 'vue-router'
import { features } from '@/features'
import type { RailEntry, Viewer } from '../feature'
import { useSession } from '../session'
import { useWorkspace } from '../workspace'

export interface RailLink extends RailEntry {
  location: RouteLocationRaw
  active: boolean
}

const entries = features.flatMap((feature) => feature.rail ?? []).sort((a, b) => a.order - b.order)

/** The entries this person may see, with where they lead and whether we are there. */
export function useRail() {
  const session = useSession()
  const workspace = useWorkspace()
  const route = useRoute()

  const viewer = computed<Viewer>(() => ({ role: workspace.role, operator: session.user?.is_operator ?? false }))
  const links = computed<RailLink[]>(() =>
    entries
      .filter((entry) => entry.visible?.(viewer.value) ?? true)
      .map((entry) => ({
        ...entry,
        location: { name: entry.to, params: { slug: workspace.slug } },
        active: isActive(entry),
      })),
  )

  function isActive(entry: RailEntry): boolean {
    return route.matched.some((record) => record.name === entry.to || record.meta.rail === entry.id)
  }

  return { links, viewer }
}
