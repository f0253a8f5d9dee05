import type { Feature } from '@/app/feature'

/** Every folder here with an `index.ts` that exports `feature` is part of the app. */
const found = import.meta.glob<Feature>('./*/index.ts', { eager: true, import: 'feature' })

export const features: Feature[] = Object.values(found)
