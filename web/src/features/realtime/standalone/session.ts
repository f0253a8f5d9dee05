import { ref } from 'vue'
import { send } from '@/api/client'

const ADDRESS = '/console/api/session'

/** null: not asked yet. The token itself is kept by nobody; the server signs this browser in with a cookie. */
export const signedIn = ref<boolean | null>(null)

export async function loadSession(): Promise<void> {
  const answer = (await (await ask('GET')).json()) as { signed_in: boolean }
  signedIn.value = answer.signed_in
}

export async function signIn(token: string): Promise<void> {
  await ask('POST', JSON.stringify({ token }))
  signedIn.value = true
}

export async function signOut(): Promise<void> {
  await ask('DELETE')
  signedIn.value = false
}

function ask(method: string, body?: string): Promise<Response> {
  return send(new Request(new URL(ADDRESS, location.origin), { method, body, credentials: 'same-origin' }))
}
