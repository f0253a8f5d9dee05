import { ref } from 'vue'

/** The one dialog of the rooms that is open; the palette opens them from anywhere. */
export const dialog = ref<'create' | 'browse' | 'direct' | null>(null)
