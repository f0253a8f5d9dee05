import { createRouter, createWebHistory } from 'vue-router'
import { features } from '@/features'

export const router = createRouter({
  history: createWebHistory(),
  routes: features.flatMap((feature) => feature.routes ?? []),
})
