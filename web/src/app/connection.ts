import { computed, ref } from 'vue'
import { useOnline } from '@vueuse/core'

/**
 * How the live connection stands. The realtime part writes it, the shell's dot and the offline bar read it.
 * `idle` is before the first workspace is opened.
 */
export type LiveState = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'offline'

export const live = ref<LiveState>('idle')

/** Changes made here that wait for the network. The offline part writes it. */
export const waiting = ref(0)

const online = useOnline()

/** What people are told: without a network nothing else matters. */
export const connection = computed<LiveState>(() => (online.value ? live.value : 'offline'))
